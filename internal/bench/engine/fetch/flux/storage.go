package main

import (
	"io/fs"
	"os"

	"github.com/fluxcd/pkg/git/gogit"
	"github.com/gitopskit/gitopskit/internal/bench/fetch"
	"github.com/go-git/go-billy/v5"
	"github.com/go-git/go-billy/v5/helper/iofs"
	"github.com/go-git/go-billy/v5/memfs"
	"github.com/go-git/go-git/v5/storage/memory"
)

// storage is where a clone goes, as options of the client, and how its files are read. In memory it is what
// gogit.WithMemoryStorage chooses, which keeps the files to itself.
func storage(j fetch.Job) ([]gogit.ClientOption, fs.FS) {
	if j.Who == "fluxcd/pkg/git memory" {
		files := memfs.New()
		return []gogit.ClientOption{gogit.WithStorer(memory.NewStorage()), gogit.WithWorkTreeFS(files)},
			inMemory{iofs.NewReadDirFS(files), files}
	}
	return []gogit.ClientOption{gogit.WithDiskStorage()}, os.DirFS(j.Folder)
}

// inMemory reads files, and links as such.
type inMemory struct {
	fs.ReadDirFS
	files billy.Filesystem
}

var _ fs.ReadLinkFS = inMemory{}

// ReadLink implements [fs.ReadLinkFS].
func (m inMemory) ReadLink(name string) (string, error) { return m.files.Readlink(name) }

// Lstat implements [fs.ReadLinkFS].
func (m inMemory) Lstat(name string) (fs.FileInfo, error) { return m.files.Lstat(name) }
