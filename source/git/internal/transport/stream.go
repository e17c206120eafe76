package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gitopskit/gitopskit/source"
)

// A stream is a [Conn] over one connection, whose two ends speak in turn.
type stream struct {
	site    *site
	watch   *watch
	version int // as asked for
	in      io.Writer
	out     io.Reader
	// ended explains the end of out: nil where the other side was done.
	ended func() error
	close func() error // ends the connection; it may be called more than once

	first []byte // read of out to see how the answer starts
	heard bool   // something was read
	asked bool
	once  sync.Once
}

// Format implements [fmt.Formatter]: it prints the repository's URL.
func (s *stream) Format(f fmt.State, verb rune) { s.site.Format(f, verb) }

func (s *stream) Stateless() bool { return false }

func (s *stream) Read(p []byte) (int, error) {
	if len(s.first) > 0 {
		n := copy(p, s.first)
		s.first = s.first[n:]
		return n, nil
	}
	s.watch.begin()
	defer s.watch.done()
	n, err := s.out.Read(p)
	s.heard = s.heard || n > 0
	if err == nil || n > 0 {
		return n, nil
	}
	if err == io.EOF {
		if err = s.ended(); err == nil {
			return 0, s.closedEarly()
		}
	}
	return 0, s.site.secrets.Clean(s.watch.blame(err))
}

// closedEarly is the error for the end of a stream: the caller judges whether that is too early, unless there was nothing.
func (s *stream) closedEarly() error {
	if s.heard {
		return io.EOF
	}
	return s.watch.blame(fmt.Errorf("the server closes the connection without an answer: %w", io.ErrUnexpectedEOF))
}

// maxError is how much of a line with an error is read.
const maxError = 2 << 10

// greet waits for the start of the first answer. Where that is an error, there is no conversation.
func (s *stream) greet() error {
	head := make([]byte, 4, 8)
	if _, err := io.ReadFull(s, head); err != nil {
		return err
	}
	length, err := strconv.ParseUint(string(head), 16, 16)
	if err == nil && length >= 8 {
		head = head[:8]
		if _, err := io.ReadFull(s, head[4:]); err != nil {
			return err
		}
	}
	if string(head[4:]) != "ERR " {
		s.first = head
		return nil
	}
	text := make([]byte, min(int(length)-len(head), maxError))
	n, _ := io.ReadFull(s, text) // what there is of it
	return s.site.said(string(text[:n]))
}

// said is the error for what git-upload-pack, or a server in its place, says before it starts.
func (s *site) said(text string) error {
	err := fmt.Errorf("the server says %s", s.secrets.Quote(text))
	if reason := reasonOf(text); reason != nil {
		return fmt.Errorf("repository: %w: %w", reason, err)
	}
	return err
}

// reasonOf knows the words of GitHub, GitLab, Gitea, Forgejo, Bitbucket, Azure DevOps, git-upload-pack and git daemon.
func reasonOf(text string) error {
	text = strings.ToLower(text)
	for _, words := range []string{
		"repository not found", "repository does not exist", "could not be found", "cannot find repository", "tf401019",
		"does not appear to be a git repository", "repository not exported", "no such repository",
	} {
		if strings.Contains(text, words) {
			return source.ErrNotFound
		}
	}
	for _, words := range []string{"permission denied", "access denied", "not authorized", "unauthorized"} {
		if strings.Contains(text, words) {
			return source.ErrUnauthorized
		}
	}
	return nil
}

func (s *stream) Ask(ctx context.Context, _ int, request []byte) (io.ReadCloser, error) {
	if s.asked && s.version == 0 {
		return nil, errors.New("version 0 of Git's protocol takes one request over a stream")
	}
	s.asked = true
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { s.watch.cancel(ctx.Err()) })
	s.watch.begin()
	defer s.watch.done()
	if _, err := s.in.Write(request); err != nil {
		stop()
		return nil, s.site.secrets.Clean(s.watch.blame(s.unsent(err)))
	}
	return &streamAnswer{s, stop}, nil
}

// unsent prefers what the server says to the end of the connection that follows.
func (s *stream) unsent(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
		if said := s.ended(); said != nil {
			return said
		}
	}
	return fmt.Errorf("sending a request: %w", err)
}

type streamAnswer struct {
	stream *stream
	stop   func() bool
}

func (a *streamAnswer) Read(p []byte) (int, error) {
	if a.stop == nil {
		return 0, net.ErrClosed
	}
	return a.stream.Read(p)
}

func (a *streamAnswer) Close() error {
	if a.stop != nil {
		a.stop()
	}
	a.stop = nil
	return nil
}

// goodbye is how long the last four bytes may take.
const goodbye = time.Second

// Close tells the server first that nothing more is wanted: else it logs an error.
func (s *stream) Close() (err error) {
	s.once.Do(func() {
		if s.heard && (s.version > 0 || !s.asked) && s.watch.ctx.Err() == nil {
			late := time.AfterFunc(goodbye, func() { _ = s.close() })
			_, _ = io.WriteString(s.in, "0000")
			late.Stop()
		}
		err = s.close()
		s.watch.end()
	})
	return err
}
