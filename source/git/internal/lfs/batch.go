package lfs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
)

const mediaType = "application/vnd.git-lfs+json"

// answerBytes is how long the answer about so many objects may be. Large services need about 2 KiB for each.
func answerBytes(objects int) int64 { return int64(objects)*16<<10 + 64<<10 }

type batchRequest struct {
	Operation string        `json:"operation"`
	Transfers []string      `json:"transfers"`
	Objects   []batchObject `json:"objects"`
	HashAlgo  string        `json:"hash_algo"`
}

type batchObject struct {
	OID  string `json:"oid"`
	Size int64  `json:"size"`
}

type batchAnswer struct {
	Transfer string            `json:"transfer"`
	HashAlgo string            `json:"hash_algo"`
	Objects  []json.RawMessage `json:"objects"` // not decoded before they are counted
}

type objectAnswer struct {
	OID     string `json:"oid"`
	Size    *int64 `json:"size"`
	Actions struct {
		Download *action `json:"download"`
	} `json:"actions"`
	Error *struct {
		Code int `json:"code"`
	} `json:"error"`
}

// batch asks for objects and returns what the server grants, in their order.
func (f *fetcher) batch(ctx context.Context, objects []object) ([]grant, error) {
	question := batchRequest{Operation: "download", Transfers: []string{"basic"}, HashAlgo: "sha256"}
	for _, o := range objects {
		question.Objects = append(question.Objects, batchObject{o.OID, o.Size})
	}
	body, err := json.Marshal(question)
	if err != nil {
		return nil, err
	}
	c := &call{method: http.MethodPost, url: f.endpoint, body: body, header: http.Header{
		"Accept": {mediaType}, "Content-Type": {mediaType}, "User-Agent": {agent}}}
	response, err := f.send(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("asking for LFS objects: %w", err)
	}
	defer response.Body.Close()
	f.endpoint = c.url
	answer, err := c.readAnswer(response, len(objects))
	if err != nil {
		return nil, fmt.Errorf("asking for LFS objects: %w", err)
	}
	return grants(objects, answer, c.url)
}

func (c *call) readAnswer(response *http.Response, objects int) (*batchAnswer, error) {
	where := show(c.url)
	if response.StatusCode != http.StatusOK {
		return nil, batchRefused(response.StatusCode, where)
	}
	got := response.Header.Get("Content-Type")
	if kind, _, err := mime.ParseMediaType(got); err != nil || !strings.HasSuffix(kind, "json") {
		return nil, fmt.Errorf("%w: %s answers %.100q", ErrNoServer, where, got)
	}
	limit := answerBytes(objects)
	body, err := io.ReadAll(io.LimitReader(response.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", where, c.conceal(err))
	}
	if int64(len(body)) > limit {
		return nil, fmt.Errorf("%s answers with more than %d bytes about %d objects", where, limit, objects)
	}
	var answer batchAnswer
	if err := decode(body, &answer); err != nil {
		return nil, fmt.Errorf("%s: %w", where, err)
	}
	switch {
	case answer.Transfer != "" && answer.Transfer != "basic":
		return nil, fmt.Errorf("%s wants the transfer %.100q, and was told that only basic is known", where, answer.Transfer)
	case answer.HashAlgo != "" && answer.HashAlgo != "sha256":
		return nil, fmt.Errorf("%s hashes by %.100q, and was told that only sha256 is known", where, answer.HashAlgo)
	case len(answer.Objects) > objects:
		return nil, fmt.Errorf("%s answers about %d objects, and was asked about %d", where, len(answer.Objects), objects)
	}
	return &answer, nil
}

// decode does not repeat what encoding/json says, since that quotes the answer.
func decode(body []byte, to any) error {
	err := json.Unmarshal(body, to)
	if kind := new(json.UnmarshalTypeError); errors.As(err, &kind) {
		return fmt.Errorf("malformed JSON: the wrong type at %.100q", kind.Field)
	}
	if err != nil {
		return errors.New("malformed JSON")
	}
	return nil
}

// grants holds the answer against the question: each object has to be in it, once.
func grants(objects []object, answer *batchAnswer, base *url.URL) ([]grant, error) {
	about := make(map[string]*objectAnswer, len(objects))
	for _, raw := range answer.Objects {
		single := new(objectAnswer)
		if err := decode(raw, single); err != nil {
			return nil, fmt.Errorf("asking for LFS objects: %s: %w", show(base), err)
		}
		if about[single.OID] != nil {
			return nil, fmt.Errorf("asking for LFS objects: %s answers twice about %.100q", show(base), single.OID)
		}
		about[single.OID] = single
	}
	all := make([]grant, len(objects))
	for i, o := range objects {
		g, err := o.grant(about[o.OID], base)
		if err != nil {
			return nil, o.wrong(err)
		}
		all[i] = g
	}
	return all, nil
}

func (o object) grant(answer *objectAnswer, base *url.URL) (grant, error) {
	switch {
	case answer == nil:
		return grant{}, errors.New("the server's answer leaves it out")
	case answer.Error != nil:
		return grant{}, objectRefused(answer.Error.Code)
	case answer.Size != nil && *answer.Size != o.Size:
		return grant{}, fmt.Errorf("the pointer says that it has %d bytes, the server that it has %d", o.Size, *answer.Size)
	case answer.Actions.Download == nil:
		return grant{}, errors.New("the server tells neither where it is nor what is wrong with it")
	}
	return answer.Actions.Download.grant(base)
}
