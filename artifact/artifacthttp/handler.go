package artifacthttp

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/gitopskit/gitopskit/artifact"
)

// A Store is what Handler serves from, such as an [artifact.DirStore].
type Store interface {
	artifact.Opener
	artifact.Statter
}

// HandlerOptions say what a Handler serves. The zero value works.
type HandlerOptions struct {
	// Names says which artifact a name, such as "apps/podinfo", stands for now. It is asked for what artifact.Tagged says
	// of names, and nothing else. Default: the store, if it is an artifact.Resolver, as DirStore is; otherwise there are
	// no names.
	Names artifact.Resolver
	// NameAge is for how long a cache may answer for a name without asking again, in whole seconds. Default: it always
	// asks, which costs one request without content as long as the name stands for the same artifact.
	NameAge time.Duration
	// OnError hears what the client is not told: why the answer to a request was 500, or was broken off. It may be called
	// by several goroutines at once. Default: nobody hears.
	OnError func(r *http.Request, err error)
}

// Handler serves the artifacts of a store, to GET and HEAD:
//
//	/sha256:<64 hex digits>    an artifact, for ever
//	/<name>                    what the name stands for now, see HandlerOptions.Names
//
// Both may end in what the artifact's media type is known by: .tar.gz or .tgz, .tar.zst, .tar. There is nothing else: no
// listing of folders, and no answer tells which names there are. Mount it elsewhere than at the root with
// [http.StripPrefix].
//
// Answers have the digest as ETag, Repr-Digest (RFC 9530) and Docker-Content-Digest, those with all the bytes also as
// Content-Digest, and the media type as Content-Type. If-Match, If-None-Match, If-Range and a Range of one part are heeded;
// with more parts than one, the answer is the whole. There is no Last-Modified: the ETag says more.
//
// The last byte of an artifact is sent only when all bytes were read and are those of its digest. If they are not, the
// connection is broken off before it, or the answer is 500 where nothing was sent yet: nobody takes a damaged artifact for
// a whole one. A part that does not reach the end is not verified if what the store opens is an io.ReaderAt, and neither
// is what HEAD says. Whoever puts parts together has to verify the whole, as [Client] does.
//
// It knows neither users nor rates, and waits for slow clients as long as the [http.Server] lets it: set its WriteTimeout.
func Handler(store Store, opts HandlerOptions) http.Handler {
	if names, ok := store.(artifact.Resolver); ok && opts.Names == nil {
		opts.Names = names
	}
	return &handler{store: store, opts: opts}
}

type handler struct {
	store Store
	opts  HandlerOptions
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		refuse(w, http.StatusMethodNotAllowed)
		return
	}
	path := strings.TrimPrefix(r.URL.Path, "/")
	for try := 1; ; try++ {
		found, err := h.find(r.Context(), path)
		if err == nil {
			err = h.serve(w, r, found)
		}
		if errors.Is(err, artifact.ErrNotFound) && found.name != "" && try < resolveTries {
			continue // the name stands for another artifact by now, and the old one is gone
		}
		if err != nil {
			h.fail(w, r, err)
		}
		return
	}
}

// resolveTries is how often a name is resolved before an artifact that is not there is reported.
const resolveTries = 3

// fail answers a request that failed with err before anything was sent.
func (h *handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, artifact.ErrNotFound) {
		refuse(w, http.StatusNotFound)
		return
	}
	h.report(r, err)
	refuse(w, http.StatusInternalServerError)
}

// report tells of an error that is not the client's doing, as leaving is.
func (h *handler) report(r *http.Request, err error) {
	if err != nil && h.opts.OnError != nil && r.Context().Err() == nil {
		h.opts.OnError(r, err)
	}
}

// refuse tells no more than the status does. No cache may keep it: what is not there now may be there soon.
func refuse(w http.ResponseWriter, status int) {
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, http.StatusText(status), status)
}

// A selection is the artifact that a request is about.
type selection struct {
	artifact.Descriptor
	name string // what it was asked for by; empty if by its digest
}

// suffixes are what files of the media types are named.
var suffixes = [...]struct{ suffix, mediaType string }{
	{".tar.gz", artifact.MediaTypeTarGzip},
	{".tgz", artifact.MediaTypeTarGzip},
	{".tar.zst", artifact.MediaTypeTarZstd},
	{".tar", artifact.MediaTypeTar},
}

// find returns what path is about; with an error, what of it was found. As a name may itself end as a file's does, the whole
// of it comes first. If there is such a name, the one without the suffix is not meant, even where the artifact is gone.
func (h *handler) find(ctx context.Context, path string) (selection, error) {
	found, err := h.lookup(ctx, path)
	if found.name != "" || !errors.Is(err, artifact.ErrNotFound) {
		return found, err
	}
	for _, s := range suffixes {
		stem, ok := strings.CutSuffix(path, s.suffix)
		if !ok {
			continue
		}
		found, err = h.lookup(ctx, stem)
		if err == nil && found.MediaType != s.mediaType {
			return selection{}, artifact.ErrNotFound
		}
		break
	}
	return found, err
}

func (h *handler) lookup(ctx context.Context, id string) (selection, error) {
	found := selection{}
	d := digest.Digest(id)
	switch {
	case isDigest(id):
		if d.Validate() != nil {
			return found, artifact.ErrNotFound
		}
	case h.opts.Names == nil || !isName(id):
		return found, artifact.ErrNotFound
	default:
		tagged, err := h.opts.Names.Resolve(ctx, id)
		if err != nil {
			return found, err
		}
		found.name, d = id, tagged.Digest
	}
	var err error
	found.Descriptor, err = h.store.Stat(ctx, d)
	return found, err
}

func isDigest(id string) bool { return strings.HasPrefix(id, "sha256:") }

// maxName is how long a name may be in bytes, of which capital letters count twice: stores have them as names of files.
const maxName = 240

// isName reports whether a store may be asked for a name: it is one that artifact.Tagged describes.
func isName(id string) bool {
	weight := len(id)
	for element := range strings.SplitSeq(id, "/") {
		for i, c := range []byte(element) {
			switch {
			case 'A' <= c && c <= 'Z':
				weight++
			case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
			case i > 0 && (c == '.' || c == '_' || c == '-'):
			default:
				return false
			}
		}
		if element == "" {
			return false
		}
	}
	return weight <= maxName
}
