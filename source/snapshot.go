package source

import (
	"io/fs"
	"sync/atomic"
)

// A Snapshot is an origin's content at one revision: an immutable [fs.FS], good until Close, for any number of goroutines.
// It is also an [fs.ReadDirFS], [fs.ReadFileFS], [fs.StatFS], [fs.ReadLinkFS], [fs.SubFS] and [IdentityFS]. Later fetches do
// not change it.
type Snapshot struct {
	fs.FS
	Revision Revision
	// Signatures are what was verified of the revision; there are none where nothing was asked to be verified.
	Signatures []Signature
}

// A readingFS is a file system with all that can be asked of a snapshot.
type readingFS interface {
	fs.ReadDirFS
	fs.ReadFileFS
	fs.StatFS
	fs.ReadLinkFS
	fs.SubFS
	IdentityFS
}

var _, _ readingFS = (*Snapshot)(nil), (*guard)(nil)

// NewSnapshot returns content, which must not change any more, as a Snapshot.
func NewSnapshot(content fs.FS, revision Revision) *Snapshot {
	g := new(guard)
	g.content.Store(&content)
	return &Snapshot{FS: g, Revision: revision}
}

// Close lets go of the content: from now on every look into it is [fs.ErrClosed]. Files that are open stay so until they
// are closed themselves. Closing twice does nothing.
func (s *Snapshot) Close() error {
	if g, ok := s.FS.(*guard); ok {
		g.content.Store(nil)
	}
	return nil
}

// ReadDir implements [fs.ReadDirFS].
func (s *Snapshot) ReadDir(name string) ([]fs.DirEntry, error) { return fs.ReadDir(s.FS, name) }

// ReadFile implements [fs.ReadFileFS].
func (s *Snapshot) ReadFile(name string) ([]byte, error) { return fs.ReadFile(s.FS, name) }

// Stat implements [fs.StatFS]. It follows symbolic links.
func (s *Snapshot) Stat(name string) (fs.FileInfo, error) { return fs.Stat(s.FS, name) }

// Lstat implements [fs.ReadLinkFS]. It does not follow a link at the end of the name.
func (s *Snapshot) Lstat(name string) (fs.FileInfo, error) { return fs.Lstat(s.FS, name) }

// ReadLink implements [fs.ReadLinkFS].
func (s *Snapshot) ReadLink(name string) (string, error) { return fs.ReadLink(s.FS, name) }

// Identity implements [IdentityFS]. It is always empty if the content is no IdentityFS.
func (s *Snapshot) Identity(name string) (string, error) { return Identity(s.FS, name) }

// Sub implements [fs.SubFS]: what it returns also is what a Snapshot is, and ends with it. Links in it may lead out of dir,
// and not out of the snapshot's root.
func (s *Snapshot) Sub(dir string) (fs.FS, error) { return sub(s.FS, dir) }

// A guard stands before content until it is closed.
type guard struct{ content atomic.Pointer[fs.FS] }

func (g *guard) Open(name string) (fs.File, error) {
	return guarded(g, "open", name, fs.FS.Open)
}

func (g *guard) ReadDir(name string) ([]fs.DirEntry, error) {
	return guarded(g, "readdir", name, fs.ReadDir)
}

func (g *guard) ReadFile(name string) ([]byte, error) {
	return guarded(g, "read", name, fs.ReadFile)
}

func (g *guard) Stat(name string) (fs.FileInfo, error) {
	return guarded(g, "stat", name, fs.Stat)
}

func (g *guard) Lstat(name string) (fs.FileInfo, error) {
	return guarded(g, "lstat", name, fs.Lstat)
}

func (g *guard) ReadLink(name string) (string, error) {
	return guarded(g, "readlink", name, fs.ReadLink)
}

func (g *guard) Identity(name string) (string, error) {
	return guarded(g, "identity", name, Identity)
}

func (g *guard) Sub(dir string) (fs.FS, error) { return sub(g, dir) }

func guarded[T any](g *guard, op, name string, do func(fs.FS, string) (T, error)) (T, error) {
	content := g.content.Load()
	if content == nil {
		var none T
		return none, &fs.PathError{Op: op, Path: name, Err: fs.ErrClosed}
	}
	return do(*content, name)
}
