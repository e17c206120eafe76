package bucket_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
)

// A flippingTransport changes one byte of each object: the last one.
type flippingTransport struct{ next http.RoundTripper }

func (f flippingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := f.next.RoundTrip(r)
	if err != nil || answer.StatusCode != http.StatusOK || strings.Contains(r.URL.RawQuery, "list-type") {
		return answer, err
	}
	body, err := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	if err == nil && len(body) > 0 {
		body[len(body)-1] ^= 1
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	return answer, err
}

func TestContentIsHeldAgainstItsChecksum(t *testing.T) {
	large := bytes.Repeat([]byte("0123456789abcdef"), 6<<16) // 6 MiB: two parts
	for name, tt := range map[string]struct {
		body     []byte
		checksum minio.ChecksumType
		says     string // which sum the error is about; empty: nothing can be said of what was changed
		anyETag  bool
	}{
		"ETag":                    {[]byte("hello"), minio.ChecksumNone, "ETag", false},
		"ETag that is no MD5":     {[]byte("hello"), minio.ChecksumNone, "", true},
		"CRC32":                   {[]byte("hello"), minio.ChecksumCRC32, "CRC-32)", true},
		"CRC32C":                  {[]byte("hello"), minio.ChecksumCRC32C, "CRC-32C)", true},
		"SHA1":                    {[]byte("hello"), minio.ChecksumSHA1, "SHA-1)", true},
		"SHA256":                  {[]byte("hello"), minio.ChecksumSHA256, "SHA-256)", true},
		"CRC64NVME":               {[]byte("hello"), minio.ChecksumCRC64NVME, "CRC-64/NVME)", true},
		"parts, CRC64NVME":        {large, minio.ChecksumCRC64NVME, "CRC-64/NVME)", false},
		"parts, CRC32C of parts":  {large, minio.ChecksumCRC32C, "", false},
		"parts, CRC32C of all":    {large, minio.ChecksumFullObjectCRC32C, "CRC-32C)", false},
		"parts, without checksum": {large, minio.ChecksumNone, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			b := testbed.MinIO(t)
			put := minio.PutObjectOptions{Checksum: tt.checksum, PartSize: 5 << 20, DisableContentSha256: true}
			info, err := b.SecureClient.PutObject(t.Context(), b.Name, "a", bytes.NewReader(tt.body), int64(len(tt.body)), put)
			must(t, err)
			if parts := len(tt.body) > 5<<20; strings.Contains(info.ETag, "-") != parts {
				t.Fatalf("the ETag is %s, in parts: %v", info.ETag, parts)
			}
			opts := options(b)
			opts.AnyETag = tt.anyETag
			if got := read(t, fetch(t, newSource(t, opts), source.Revision{}), "a"); got != string(tt.body) {
				t.Errorf("got %d bytes that differ", len(got))
			}
			opts.Transport = flippingTransport{http.DefaultTransport}
			_, err = newSource(t, opts).Fetch(t.Context(), source.Revision{})
			if tt.says == "" {
				must(t, err)
				return
			}
			checkError(t, err, bucket.ErrCorrupt, `key "a"`)
			checkError(t, err, bucket.ErrCorrupt, "("+tt.says)
			if temporary := new(source.TemporaryError); !errors.As(err, &temporary) {
				t.Errorf("got %v, which is not temporary", err)
			}
		})
	}
}

func TestMinIOKnowsConditions(t *testing.T) {
	b := testbed.MinIO(t)
	must(t, put(t.Context(), b, map[string][]byte{"a": []byte("1"), "b": []byte("first")}))
	opts := options(b)
	changed := false
	recorder := &testbed.Recorder{}
	recorder.Before = func(r *http.Request) error {
		if !strings.HasSuffix(r.URL.Path, "/b") {
			return nil
		}
		if r.Header.Get("If-Match") == "" {
			return errors.New("there is no condition")
		}
		if !changed {
			changed = true
			return b.Put(r.Context(), "b", []byte("later"))
		}
		return nil
	}
	opts.Transport, opts.Concurrency = recorder, 1
	snapshot := fetch(t, newSource(t, opts), source.Revision{})
	if got := read(t, snapshot, "b"); got != "later" {
		t.Errorf("got %q", got)
	}
	lines := recorder.Take()
	if lists, gets := testbed.Count(lines, "GET /"+b.Name+"/?"), len(lines)-testbed.Count(lines, "GET /"+b.Name+"/?"); lists != 2 || gets != 3 {
		t.Errorf("got %d LISTs and %d GETs: %q", lists, gets, lines)
	}
}
