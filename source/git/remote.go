package git

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"

	"github.com/gitopskit/gitopskit/source"
)

// A remote is a repository whose references have been listed. It speaks version 0 of Git's protocol, whose first answer has
// them, so that an unchanged repository costs one request; version 2 takes two.
type remote struct {
	*Source
	url        url.URL // after redirects
	references *packp.AdvRefs
}

// agent is what this client calls itself. Some servers answer only to names that start with git/.
const agent = "git/gitopskit"

const service = "git-upload-pack"

// connect lists the references.
func (s *Source) connect(ctx context.Context) (*remote, error) {
	u := endpoint(s.base, "/info/refs")
	u.RawQuery = "service=" + service
	response, err := s.do(ctx, http.MethodGet, u, nil, "advertisement")
	if err != nil {
		return nil, err
	}
	defer response.Body.Close() // it was only read
	limit := cmp.Or(max(s.opts.MaxReferenceBytes, 0), DefaultMaxReferenceBytes)
	body := bounded(response.Body, limit, "Options.MaxReferenceBytes")
	r := &remote{Source: s, url: *response.Request.URL, references: packp.NewAdvRefs()}
	err = body.blame(r.references.Decode(bufio.NewReader(body)))
	if errors.Is(err, packp.ErrEmptyAdvRefs) || err == nil && r.references.IsEmpty() {
		return nil, fmt.Errorf("the repository is empty: %w", source.ErrNotFound)
	}
	if err != nil {
		return nil, s.protocolError("listing the references", err)
	}
	path, ok := strings.CutSuffix(r.url.EscapedPath(), "/info/refs")
	if !ok {
		return nil, errors.New("the server redirects to where no repository can be")
	}
	r.url.RawQuery, r.url.RawPath = "", path
	r.url.Path, err = url.PathUnescape(path)
	return r, err
}

// endpoint appends to a repository's path, whichever way that is escaped.
func endpoint(repository url.URL, path string) *url.URL {
	u := url.URL{Scheme: repository.Scheme, Host: repository.Host}
	u.Path = strings.TrimSuffix(repository.Path, "/") + path
	u.RawPath = strings.TrimSuffix(repository.EscapedPath(), "/") + path
	return &u
}

// pack asks for a commit, or an annotated tag, without history. If the server knows the common commit too, it leaves out
// what that has.
func (r *remote) pack(ctx context.Context, want plumbing.Hash, common *plumbing.Hash) (*packReader, error) {
	if !r.references.Capabilities.Supports(capability.Shallow) {
		return nil, errors.New("the server cannot fetch a commit without its history")
	}
	question, err := r.question(want, common)
	if err != nil {
		return nil, err
	}
	response, err := r.do(ctx, http.MethodPost, endpoint(r.url, "/"+service), question, "result")
	if err != nil {
		return nil, err
	}
	body := bounded(response.Body, r.opts.Limits.MaxBytes, "Limits.MaxBytes")
	buffered := bufio.NewReaderSize(body, 64<<10)
	var shallow packp.ShallowUpdate
	var acknowledged packp.ServerResponse
	if err = shallow.Decode(buffered); err == nil {
		err = acknowledged.Decode(buffered, false)
	}
	if err = body.blame(err); err != nil {
		return nil, errors.Join(r.protocolError("asking for a pack", err), response.Body.Close())
	}
	return &packReader{remote: r, body: body, lines: pktline.NewScanner(buffered)}, nil
}

func (r *remote) question(want plumbing.Hash, common *plumbing.Hash) ([]byte, error) {
	q := packp.NewUploadPackRequest()
	q.Wants, q.Depth = []plumbing.Hash{want}, packp.DepthCommits(1)
	wish := []capability.Capability{capability.Shallow, capability.Sideband64k, capability.OFSDelta, capability.NoProgress,
		// Nothing is negotiated, but Azure DevOps refuses clients without it.
		capability.MultiACKDetailed}
	if common != nil {
		q.Haves, q.Shallows = []plumbing.Hash{*common}, []plumbing.Hash{*common}
		wish = append(wish, capability.ThinPack)
	}
	if !r.references.Capabilities.Supports(capability.Sideband64k) {
		return nil, errors.New("the server cannot mix errors into a pack (side-band-64k)")
	}
	for _, c := range wish {
		if !r.references.Capabilities.Supports(c) {
			continue
		}
		if err := q.Capabilities.Set(c); err != nil {
			return nil, err
		}
	}
	var question bytes.Buffer
	if err := q.UploadRequest.Encode(&question); err != nil {
		return nil, err
	}
	if err := q.UploadHaves.Encode(&question, false); err != nil {
		return nil, err
	}
	err := pktline.NewEncoder(&question).EncodeString("done\n")
	return question.Bytes(), err
}

// do sends a request and returns the answer if it is of the kind that Git's protocol has for it.
func (s *Source) do(ctx context.Context, method string, u *url.URL, body []byte, kind string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	want := "application/x-" + service + "-" + kind
	request.Header.Set("Accept", want)
	request.Header.Set("User-Agent", agent)
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/x-"+service+"-request")
	}
	s.authorize(request)
	response, err := s.client.Do(request)
	if err != nil {
		return nil, err
	}
	if err := status(response, want); err != nil {
		return nil, errors.Join(err, response.Body.Close())
	}
	return response, nil
}

// status does not read what the server has to say: it is written for browsers, may be endless, and may repeat the request.
func status(response *http.Response, want string) error {
	code := response.StatusCode
	answer := fmt.Sprintf("the server answers %d %s", code, http.StatusText(code))
	switch {
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return fmt.Errorf("%w: %s", source.ErrUnauthorized, answer)
	case code == http.StatusNotFound || code == http.StatusGone:
		return fmt.Errorf("repository: %w: %s", source.ErrNotFound, answer)
	case code != http.StatusOK:
		return errors.New(answer)
	}
	if got := response.Header.Get("Content-Type"); got != want {
		return fmt.Errorf("there is no Git repository that is served by Git's smart protocol: the server answers %.100q", got)
	}
	return nil
}
