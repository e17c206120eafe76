package cache

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/gitopskit/gitopskit/source/git/internal/object"
)

// The kinds of file in a repository's folder, which their names start with.
const (
	recordKind  = "record-"
	segmentKind = "segment-"
)

// A record's file is a line with the version and the SHA-256 of what follows, which is a recordFile as JSON.
type recordFile struct {
	Commit   string
	Scope    []byte // it need not be UTF-8
	Segments []segmentName
}

type segmentName struct {
	Name string
	Size int64
}

const (
	recordMagic    = "gitopskit git cache record 1 "
	maxRecordBytes = 1 << 20 // of a file
	maxRecords     = 1 << 10 // of a repository
	maxSegments    = 32      // of a record
)

// recordName is that of a record's file, so that there is one.
func recordName(r Record) string {
	sum := sha256.Sum256(append(r.Commit[:], r.Scope...))
	return hex.EncodeToString(sum[:16])
}

// writeRecord makes a record the one that was used last, unless its file would take more than maxBytes.
func writeRecord(root *os.Root, record Record, segments []segmentName, maxBytes int64) (name string, err error) {
	text, err := json.Marshal(recordFile{record.Commit.String(), []byte(record.Scope), segments})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	text = append([]byte(recordMagic+hex.EncodeToString(sum[:])+"\n"), text...)
	if int64(len(text)) > min(maxRecordBytes, maxBytes) {
		return "", errTooLarge
	}
	name, _, err = write(root, recordKind, recordName(record), func(file *os.File) error {
		_, err := file.Write(text)
		return err
	})
	if err == nil {
		err = use(root, name)
	}
	return name, err
}

// use makes a record the one that was used last. The time that the system gives to files by itself is too coarse.
func use(root *os.Root, name string) error {
	now := time.Now()
	return root.Chtimes(name, now, now)
}

// A storedRecord is a record's file as it was read.
type storedRecord struct {
	Record
	file     string
	used     time.Time
	segments []segmentName
}

func readRecord(root *os.Root, name string) (storedRecord, bool) {
	file, err := root.Open(name)
	if err != nil {
		return storedRecord{}, false
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxRecordBytes+1))
	head, body, _ := bytes.Cut(text, []byte("\n"))
	sum := sha256.Sum256(body)
	if err != nil || len(text) > maxRecordBytes || string(head) != recordMagic+hex.EncodeToString(sum[:]) {
		return storedRecord{}, false
	}
	var f recordFile
	if json.Unmarshal(body, &f) != nil || len(f.Segments) > maxSegments {
		return storedRecord{}, false
	}
	commit, err := object.ParseHash(f.Commit)
	r := storedRecord{Record: Record{commit, string(f.Scope)}, file: name, segments: f.Segments}
	return r, err == nil && name == recordKind+recordName(r.Record)
}

// A listing is what a repository's folder has.
type listing struct {
	records  []storedRecord   // whose segments are there, last used first
	segments map[string]int64 // sizes of those that records need
	junk     []string         // files that no reader needs
	broken   string           // a file that is not as it was written, where there is one
}

// list reads all records and no segment. What it does not know the name of is not for it to judge.
func list(root *os.Root) (listing, error) {
	files, err := files(root)
	if err != nil {
		return listing{}, err
	}
	l := listing{segments: map[string]int64{}}
	sizes := map[string]int64{}
	for _, f := range files {
		if strings.HasPrefix(f.Name(), segmentKind) {
			sizes[f.Name()] = f.Size()
		}
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int { return b.ModTime().Compare(a.ModTime()) })
	for _, f := range files {
		if !strings.HasPrefix(f.Name(), recordKind) {
			continue
		}
		r, ok := readRecord(root, f.Name())
		if _, err := root.Lstat(f.Name()); !ok && err == nil {
			l.broken = f.Name()
		}
		missing := func(s segmentName) bool {
			size, ok := sizes[s.Name]
			if ok && size != s.Size {
				l.broken = s.Name
			}
			return !ok || size != s.Size
		}
		if !ok || slices.ContainsFunc(r.segments, missing) || len(l.records) == maxRecords {
			l.junk = append(l.junk, f.Name())
			continue
		}
		r.used = f.ModTime()
		l.records = append(l.records, r)
		for _, s := range r.segments {
			l.segments[s.Name] = s.Size
		}
	}
	for _, f := range files {
		_, needed := l.segments[f.Name()]
		if !needed && !strings.HasPrefix(f.Name(), recordKind) {
			l.junk = append(l.junk, f.Name())
		}
	}
	return l, nil
}

// files returns the files that this package wrote in a repository's folder, without its lock.
func files(root *os.Root) ([]fs.FileInfo, error) {
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, err
	}
	var files []fs.FileInfo
	for _, e := range entries {
		ours := slices.ContainsFunc([]string{recordKind, segmentKind, temporary}, func(kind string) bool {
			return strings.HasPrefix(e.Name(), kind)
		})
		if !ours || !e.Type().IsRegular() {
			continue
		}
		if info, err := e.Info(); err == nil { // else it went while this looked
			files = append(files, info)
		}
	}
	return files, nil
}

// sweep removes what no record needs, as whoever has the repository's lock may.
func sweep(root *os.Root) error {
	l, err := list(root)
	for _, name := range l.junk {
		if e := root.Remove(name); err == nil && !errors.Is(e, fs.ErrNotExist) {
			err = e
		}
	}
	return err
}
