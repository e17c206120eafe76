package bucket

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/gitopskit/gitopskit/source"
)

// A listing is what a bucket had at one time, by key, without what is ignored.
type listing struct {
	objects  []Object
	revision source.Revision
	read     contents // ignore files
}

// list holds the bucket to the limits before anything is downloaded.
func (s *Source) list(ctx context.Context) (listing, error) {
	kept := make(contents)
	defer func() { s.keepIgnoreFiles(kept) }()
	objects, err := s.objects(ctx, kept)
	if err != nil {
		return listing{}, err
	}
	return s.judge(ctx, objects, kept)
}

// objects returns what is, or was, under the prefix at the time that the options name.
func (s *Source) objects(ctx context.Context, kept contents) ([]Object, error) {
	switch {
	case !s.opts.AsOf.IsZero():
		return s.objectsAsOf(ctx)
	case !s.opts.Before.IsZero():
		return s.objectsBefore(ctx, kept)
	}
	return s.present(ctx)
}

// judge leaves out what is no file or ignored, and holds the rest to the limits.
func (s *Source) judge(ctx context.Context, objects []Object, kept contents) (listing, error) {
	listed := len(objects)
	objects = slices.DeleteFunc(objects, isPlaceholder)
	files := len(objects)
	if slices.ContainsFunc(objects, s.isOwn) {
		files--
	}
	slices.SortFunc(objects, func(a, b Object) int { return strings.Compare(a.Key, b.Key) })
	objects, err := s.filter(ctx, objects, kept)
	if err != nil {
		return listing{}, err
	}
	if len(objects) == 0 {
		return listing{}, fmt.Errorf("%w: %s", source.ErrNotFound, s.nothing(listed, files))
	}
	trial := source.NewTree(s.opts.Limits)
	for _, o := range objects {
		if err := s.admit(o, trial); err != nil {
			return listing{}, err
		}
	}
	return listing{objects, revision(objects), kept}, nil
}

// nothing says why there is no content where so many keys are listed, and so many of them are files.
func (s *Source) nothing(listed, files int) string {
	where := "in the bucket"
	if s.opts.Prefix != "" {
		where = fmt.Sprintf("under the prefix %q", s.opts.Prefix)
	}
	switch {
	case listed == 0 && s.opts.Prefix != "":
		return fmt.Sprintf("no key starts with Options.Prefix, %q, which is case-sensitive and names a folder and no object",
			s.opts.Prefix)
	case listed == 0:
		return "the bucket has no objects"
	case files == 0:
		return "there are no objects " + where + " but markers of folders or the bucket's own " + source.IgnoreFile
	}
	by := "Options.Ignore or " + source.IgnoreFile + " files"
	if s.opts.NoIgnoreFiles {
		by = "Options.Ignore"
	} else if s.opts.Ignore == "" {
		by = source.IgnoreFile + " files"
	}
	return fmt.Sprintf("there are no objects %s that are not ignored: all %d are, by %s", where, files, by)
}

// isPlaceholder reports whether some tool wrote the object for a folder.
func isPlaceholder(o Object) bool {
	return o.Size == 0 && (o.Key == "" || strings.HasSuffix(o.Key, "/"))
}

// name is the path of the object's file.
func (s *Source) name(o Object) string {
	if s.opts.KeepPrefix {
		return o.Key
	}
	return strings.TrimPrefix(o.Key, s.opts.Prefix)
}

// admit says whether the object can be a file.
func (s *Source) admit(o Object, trial *source.Tree) error {
	switch {
	case !strings.HasPrefix(o.Key, s.opts.Prefix):
		return &source.NameError{Name: o.Key, Reason: "is listed and does not have the prefix"}
	case len(o.Key)-len(s.opts.Prefix) > s.opts.Limits.MaxPathBytes:
		limit := &source.LimitError{Option: "Limits.MaxPathBytes", Max: int64(s.opts.Limits.MaxPathBytes)}
		return fmt.Errorf("key %.100q, which has %d bytes: %w", o.Key, len(o.Key), limit)
	case passesForTwo(o.Key):
		return &source.NameError{Name: o.Key, Reason: "has a line feed after a space, and would pass for two keys in the revision"}
	}
	if err := o.checkETag(); err != nil {
		return err
	}
	// Nobody opens a file of this tree. It is here for what it refuses.
	if err := trial.AddLazyFile(s.name(o), false, o.Size, nil); err != nil {
		return fmt.Errorf("key %q: %w", o.Key, err)
	}
	return nil
}

// maxETagBytes is what a header has room for, and far more than stores use.
const maxETagBytes = 1024

func (o Object) checkETag() error {
	switch {
	case o.ETag == "":
		return fmt.Errorf("key %q: the server lists no ETag, without which a change cannot be seen", o.Key)
	case len(o.ETag) > maxETagBytes || strings.ContainsFunc(o.ETag, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return fmt.Errorf("key %q: the server lists an ETag with spaces or control characters, or of more than %d bytes",
			o.Key, maxETagBytes)
	}
	return nil
}

// passesForTwo reports whether a key, of which Flux's format quotes nothing, looks like the end of one line and the start of
// the next. As long as none does, and no ETag has a space, a listing is the only one with its lines.
func passesForTwo(key string) bool {
	space := strings.IndexByte(key, ' ')
	return space >= 0 && strings.IndexByte(key[space:], '\n') >= 0
}

// filter leaves out what the rules of the options and of ignore files match, and the ignore file of the bucket itself. It adds
// the ignore files' contents to kept.
func (s *Source) filter(ctx context.Context, objects []Object, kept contents) ([]Object, error) {
	paths := make([]string, len(objects))
	files := make(map[string]Object) // ignore files by path
	for i, o := range objects {
		paths[i] = s.name(o)
		if !s.opts.NoIgnoreFiles && path.Base(paths[i]) == source.IgnoreFile {
			files[paths[i]] = o
		}
	}
	if s.opts.Ignore == "" && len(files) == 0 {
		return s.withoutOwn(objects), nil
	}
	var read func(string) ([]byte, error)
	if !s.opts.NoIgnoreFiles {
		read = s.ignoreReader(ctx, files, kept)
	}
	left, err := s.rules.Filter(ctx, paths, read)
	if err != nil {
		return nil, err
	}
	next := 0
	objects = slices.DeleteFunc(objects, func(o Object) bool {
		if next < len(left) && s.name(o) == left[next] {
			next++
			return false
		}
		return true
	})
	return s.withoutOwn(objects), nil
}

// ignoreReader returns what reads ignore files by their paths, within the limits. What is no such file is an empty one.
func (s *Source) ignoreReader(ctx context.Context, files map[string]Object, kept contents) func(string) ([]byte, error) {
	var spent allowance
	return func(name string) ([]byte, error) {
		o, ok := files[name]
		if !ok {
			return nil, nil
		}
		if err := spent.add(o, s.opts.Limits); err != nil {
			return nil, err
		}
		return s.readIgnoreFile(ctx, o, kept)
	}
}

// An allowance is what ignore files may cost, which are read before it is known what content there is.
type allowance struct {
	files int
	bytes int64
}

func (a *allowance) add(o Object, limits source.Limits) error {
	a.files++
	a.bytes += o.Size
	switch {
	case a.files > limits.MaxFiles:
		return fmt.Errorf("ignore files: %w", &source.LimitError{Option: "Limits.MaxFiles", Max: int64(limits.MaxFiles), Name: o.Key})
	case a.bytes > limits.MaxBytes:
		return fmt.Errorf("ignore files: %w", &source.LimitError{Option: "Limits.MaxBytes", Max: limits.MaxBytes, Name: o.Key})
	}
	return nil
}

// withoutOwn leaves out the bucket's own ignore file, which says what is content and is none. It has no prefix.
func (s *Source) withoutOwn(objects []Object) []Object {
	return slices.DeleteFunc(objects, s.isOwn)
}

func (s *Source) isOwn(o Object) bool { return !s.opts.NoIgnoreFiles && o.Key == source.IgnoreFile }

// readIgnoreFile brings an ignore file unless it is in kept, or an earlier listing had the same one.
func (s *Source) readIgnoreFile(ctx context.Context, o Object, kept contents) ([]byte, error) {
	if o.Size < 0 || o.Size > s.opts.Limits.MaxIgnoreBytes {
		limit := &source.LimitError{Option: "Limits.MaxIgnoreBytes", Max: s.opts.Limits.MaxIgnoreBytes}
		return nil, fmt.Errorf("key %q: %w", o.Key, limit)
	}
	if err := o.checkETag(); err != nil {
		return nil, err
	}
	body := kept.at(o)
	if body == nil {
		s.mu.Lock()
		body = s.ignoreFiles.at(o)
		s.mu.Unlock()
	}
	var err error
	if body == nil {
		if body, err = s.body(ctx, o); err != nil {
			return nil, err
		}
	}
	kept[o.content()] = body
	return body.Bytes()
}

// maxIgnoreFiles is how many ignore files are kept that the last listing did not have.
const maxIgnoreFiles = 256

// keepIgnoreFiles keeps those of the last listing, and some of earlier ones: the history of a bucket has many.
func (s *Source) keepIgnoreFiles(kept contents) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for content, body := range s.ignoreFiles {
		if len(kept) >= maxIgnoreFiles {
			break
		}
		kept[content] = body
	}
	s.ignoreFiles = kept
}

// revision is the digest of the objects' keys and ETags. Flux's is the same for the same bucket.
func revision(objects []Object) source.Revision {
	sum := sha256.New()
	var line []byte
	for _, o := range objects {
		line = appendLine(line[:0], o.Key, o.ETag)
		_, _ = sum.Write(line) // a hash returns no error
	}
	return source.Revision{Digest: digest.NewDigest(digest.SHA256, sum)}
}

func appendLine(lines []byte, key, tag string) []byte {
	lines = append(append(lines, key...), ' ')
	return append(append(lines, tag...), '\n')
}

// snapshot is the listing with the contents that it names.
func (s *Source) snapshot(l listing, all contents) (*source.Snapshot, error) {
	tree := source.NewTree(s.opts.Limits)
	for _, o := range l.objects {
		body, ok := all[o.content()]
		if !ok {
			return nil, errors.New("an object is missing")
		}
		if err := tree.AddLazyFile(s.name(o), false, o.Size, body.Bytes); err != nil {
			return nil, err
		}
		if err := tree.Identify(s.name(o), o.identity(s.driver.String())); err != nil {
			return nil, err
		}
	}
	return tree.Snapshot(l.revision), nil
}
