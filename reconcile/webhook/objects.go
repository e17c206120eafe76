package webhook

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Objects says that objects of a bucket were written or removed. It is what its sender says: ask the origin.
type Objects struct {
	Bucket string
	Keys   []string // in the message's order
}

// Concerns reports whether any of the objects is in the bucket, under the prefix of a folder: "" is all of it.
func (o Objects) Concerns(bucket, prefix string) bool {
	if prefix = strings.Trim(prefix, "/"); prefix != "" {
		prefix += "/"
	}
	return o.Bucket == bucket && slices.ContainsFunc(o.Keys, func(key string) bool { return strings.HasPrefix(key, prefix) })
}

// A bucketMessage is a notification as S3 writes it, or an event of Amazon EventBridge.
type bucketMessage struct {
	Records []struct {
		EventName string `json:"eventName"`
		S3        located
	}
	Source     string `json:"source"`
	DetailType string `json:"detail-type"`
	Detail     located
	Event      string // of S3's test when notifications are set up: "s3:TestEvent"
}

type located struct {
	Bucket struct{ Name string }
	Object struct{ Key string }
}

// objectsOf returns what the message is about, a bucket at a time; nothing, if not about objects that came or went.
func objectsOf(body []byte) (all []Objects, err error) {
	var m bucketMessage
	if err := json.Unmarshal(body, &m); err != nil {
		return nil, refusef(http.StatusBadRequest, "the message is no JSON of a bucket's notification: %v", err)
	}
	if m.Source == "aws.s3" {
		if m.DetailType == "Object Created" || m.DetailType == "Object Deleted" {
			all = note(all, m.Detail.Bucket.Name, m.Detail.Object.Key)
		}
		return all, nil
	}
	if m.Records == nil && m.Event != "s3:TestEvent" {
		return nil, refusef(http.StatusBadRequest, "the message has neither Records of S3 nor an event of aws.s3")
	}
	for _, r := range m.Records {
		name := strings.TrimPrefix(r.EventName, "s3:") // MinIO has it, AWS leaves it out
		if !strings.HasPrefix(name, "ObjectCreated:") && !strings.HasPrefix(name, "ObjectRemoved:") &&
			!strings.HasPrefix(name, "LifecycleExpiration:") {
			continue // somebody has read it, or tagged it
		}
		key, err := url.QueryUnescape(r.S3.Object.Key) // as S3 writes keys in records, and only there
		if err != nil {
			return nil, refusef(http.StatusBadRequest, "the message has a key that is not encoded as one of a record: %.200q", r.S3.Object.Key)
		}
		all = note(all, r.S3.Bucket.Name, key)
	}
	return all, nil
}

func note(all []Objects, bucket, key string) []Objects {
	i := slices.IndexFunc(all, func(o Objects) bool { return o.Bucket == bucket })
	if i < 0 {
		return append(all, Objects{Bucket: bucket, Keys: []string{key}})
	}
	all[i].Keys = append(all[i].Keys, key)
	return all
}
