package artifact_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/gitopskit/gitopskit/artifact"
)

func TestPackToStreamsIntoAnyPutter(t *testing.T) {
	want, d := pack(t, sample(), artifact.PackOptions{})
	var got bytes.Buffer
	put := putterFunc(func(r io.Reader, want artifact.Descriptor) error {
		if want != d {
			t.Errorf("Put gets %+v, not %+v", want, d)
		}
		_, err := io.Copy(&got, r)
		return err
	})
	if packed, err := artifact.PackTo(t.Context(), put, sample(), artifact.PackOptions{}); err != nil || packed != d {
		t.Errorf("PackTo returns %+v, %v", packed, err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Error("Put got other bytes than Pack writes")
	}
}

func TestPackToMayBeReadInPart(t *testing.T) {
	has := putterFunc(func(r io.Reader, _ artifact.Descriptor) error {
		_, err := r.Read(make([]byte, 1))
		return err
	})
	if _, err := artifact.PackTo(t.Context(), has, sample(), artifact.PackOptions{}); err != nil {
		t.Error(err)
	}
}

func TestPackToReturnsThePuttersError(t *testing.T) {
	errFull := errors.New("bucket full")
	full := putterFunc(func(io.Reader, artifact.Descriptor) error { return errFull })
	if _, err := artifact.PackTo(t.Context(), full, sample(), artifact.PackOptions{}); !errors.Is(err, errFull) {
		t.Errorf("error %v, want %v", err, errFull)
	}
}

// fickle is another tree after the first time that it is read.
type fickle struct {
	fs.ReadLinkFS
	opened *int
}

func (f fickle) Open(name string) (fs.File, error) {
	if name == "app.yaml" {
		if *f.opened++; *f.opened > 1 {
			name = "app-of-apps.yaml"
		}
	}
	return f.ReadLinkFS.Open(name)
}

func TestPackToNoticesThatTheTreeChanged(t *testing.T) {
	store := dirStore(t, t.TempDir())
	onlyPut := struct{ artifact.Putter }{store}
	_, err := artifact.PackTo(t.Context(), onlyPut, fickle{sample(), new(int)}, artifact.PackOptions{})
	if !errors.Is(err, artifact.ErrDigest) {
		t.Errorf("error %v, want ErrDigest", err)
	}
	if got := list(t, store); len(got) > 0 {
		t.Errorf("%v is in the store", got)
	}
}

func TestPackToLeavesNothingWhenPackingFails(t *testing.T) {
	store := dirStore(t, t.TempDir())
	bad := fstest.MapFS{"a": file(noise(1 << 20)), "p": {Mode: fs.ModeNamedPipe}}
	for _, to := range []artifact.Putter{store, struct{ artifact.Putter }{store}} {
		_, err := artifact.PackTo(t.Context(), to, bad, artifact.PackOptions{})
		wantError(t, err, artifact.ErrUnsafe, "p")
	}
	if got := list(t, store); len(got) > 0 {
		t.Errorf("%v is in the store", got)
	}
}

func TestPackToStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	store := dirStore(t, t.TempDir())
	tree := patched{sample(), "data/noise", func() (fs.File, error) {
		cancel()
		return sample().Open("data/noise")
	}}
	if _, err := artifact.PackTo(ctx, store, tree, artifact.PackOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
}
