package webhook_test

import (
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"

	"github.com/gitopskit/gitopskit/reconcile/webhook"
)

const record = `{"EventName": "s3:ObjectCreated:Put", "Key": "fleet/dev/my app.yaml", "Records": [
  {"eventVersion": "2.0", "eventSource": "minio:s3", "eventName": "s3:ObjectCreated:Put",
   "s3": {"bucket": {"name": "fleet", "arn": "arn:aws:s3:::fleet"}, "object": {"key": "dev%2Fmy+app.yaml", "size": 3}}},
  {"eventSource": "aws:s3", "eventName": "ObjectRemoved:DeleteMarkerCreated",
   "s3": {"bucket": {"name": "fleet"}, "object": {"key": "prod/web.yaml"}}},
  {"eventName": "s3:ObjectAccessed:Get", "s3": {"bucket": {"name": "fleet"}, "object": {"key": "read"}}},
  {"eventName": "s3:LifecycleExpiration:Delete", "s3": {"bucket": {"name": "other"}, "object": {"key": "a%2Bb"}}}]}`

const eventBridge = `{"version": "0", "source": "aws.s3", "detail-type": "Object Created",
  "detail": {"bucket": {"name": "fleet"}, "object": {"key": "dev/100%+a.yaml"}}}`

func TestHandlerTakesNotificationsOfBuckets(t *testing.T) {
	for name, c := range map[string]struct {
		body    string
		headers []string
		want    []webhook.Objects
		status  int
	}{
		"records": {record, []string{"Authorization", "Bearer " + secret}, []webhook.Objects{
			{Bucket: "fleet", Keys: []string{"dev/my app.yaml", "prod/web.yaml"}}, {Bucket: "other", Keys: []string{"a+b"}},
		}, http.StatusAccepted},
		"the token by itself": {`{"Records": []}`, []string{"Authorization", secret}, nil, http.StatusOK},
		"EventBridge":         {eventBridge, []string{"X-Api-Key", secret}, []webhook.Objects{{Bucket: "fleet", Keys: []string{"dev/100%+a.yaml"}}}, http.StatusAccepted},
		"another event":       {`{"source": "aws.s3", "detail-type": "Object Tags Added"}`, []string{"X-Api-Key", secret}, nil, http.StatusOK},
		"S3's test":           {`{"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "fleet"}`, []string{"X-Api-Key", secret}, nil, http.StatusOK},
		"something else":      {`{"Type": "SubscriptionConfirmation"}`, []string{"X-Api-Key", secret}, nil, http.StatusBadRequest},
		"a bad key": {`{"Records": [{"eventName": "s3:ObjectCreated:Put", "s3": {"object": {"key": "%zz"}}}]}`,
			[]string{"X-Api-Key", secret}, nil, http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			r := receive(t, webhook.Options{Provider: webhook.Bucket})
			if answer := r.post(c.body, c.headers...); answer.StatusCode != c.status {
				t.Errorf("answered %s, refused %v", answer.Status, r.refused)
			}
			if !reflect.DeepEqual(r.objects, c.want) {
				t.Errorf("told %+v, want %+v", r.objects, c.want)
			}
		})
	}
}

func TestBucketAnswersALookWithoutASecret(t *testing.T) {
	for provider, want := range map[webhook.Provider]int{webhook.Bucket: http.StatusOK, webhook.GitHub: http.StatusMethodNotAllowed} {
		r := receive(t, webhook.Options{Provider: provider})
		answer := httptest.NewRecorder()
		r.ServeHTTP(answer, httptest.NewRequest(http.MethodHead, "/", nil))
		if answer.Code != want || len(r.objects) > 0 {
			t.Errorf("%s: a HEAD is answered %d", provider, answer.Code)
		}
	}
}

func TestObjectsConcernAFolder(t *testing.T) {
	o := webhook.Objects{Bucket: "fleet", Keys: []string{"dev/a.yaml", "prod"}}
	for _, c := range []struct {
		bucket, prefix string
		want           bool
	}{{"fleet", "", true}, {"fleet", "dev", true}, {"fleet", "/dev/", true}, {"fleet", "de", false}, {"fleet", "prod", false}, {"other", "", false}} {
		if got := o.Concerns(c.bucket, c.prefix); got != c.want {
			t.Errorf("Concerns(%q, %q) is %v", c.bucket, c.prefix, got)
		}
	}
}
