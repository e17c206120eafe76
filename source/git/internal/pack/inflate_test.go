package pack

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

// inflated returns what the decoder makes of a zlib stream, and how many bytes of it it used.
func inflated(compressed []byte, size int) ([]byte, int64, error) {
	s := newStream(bytes.NewReader(append(bytes.Clone(compressed), make([]byte, tail)...)))
	body, _, err := newInflater(s).inflate(size)
	return body, s.offset(), err
}

func TestInflateIsZlibs(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	noise := make([]byte, 300_000)
	for i := range noise {
		noise[i] = byte(random.IntN(256))
	}
	var skewed []byte // whose codes are as long as codes can be
	for symbol, n := 0, 1; symbol < 24; symbol, n = symbol+1, n*8/5 {
		skewed = append(skewed, bytes.Repeat([]byte{byte(symbol)}, n)...)
	}
	random.Shuffle(len(skewed), func(i, j int) { skewed[i], skewed[j] = skewed[j], skewed[i] })
	var far []byte
	for i := range 40 {
		far = append(append(far, noise[:1500+i]...), noise[i*3000:i*3000+1700]...)
	}
	for name, body := range map[string]string{
		"nothing": "", "a byte": "x", "noise": string(noise), "skewed": string(skewed), "far matches": string(far),
		"a run": strings.Repeat("x", 1_100_000), "runs of 2 to 9": runs(2, 9), "runs of 200 to 300": runs(200, 300),
		"text":                    strings.Join(manifest(random, 1, 1_100_000), ""),
		"as large as the scratch": strings.Join(manifest(random, 1, 2*scratchSize), "")[:scratchSize],
		"a byte more":             strings.Join(manifest(random, 1, 2*scratchSize), "")[:scratchSize+1],
	} {
		for _, level := range []int{flate.HuffmanOnly, flate.NoCompression, flate.BestSpeed, 4, 6, flate.BestCompression} {
			compressed := deflated(body, level)
			got, used, err := inflated(compressed, len(body))
			if err != nil || string(got) != body || used != int64(len(compressed)) || cap(got) != len(body) {
				t.Errorf("%s, level %d: got %d bytes out of %d, want %d out of %d: %v", name, level, len(got), used, len(body), len(compressed), err)
			}
		}
	}
}

// runs repeats what is from to to bytes long.
func runs(from, to int) string {
	var out strings.Builder
	for n := from; n <= to; n++ {
		for i := range 40 * n {
			out.WriteByte(byte('a' + (i%n)%26 + n%5))
		}
	}
	return out.String()
}

func FuzzInflate(f *testing.F) {
	for _, body := range []string{"", "a", "hello hello hello hello", runs(2, 20), strings.Join(manifest(rand.New(rand.NewPCG(5, 6)), 1, 4000), "")} {
		for _, level := range []int{flate.HuffmanOnly, 0, 1, 6} {
			f.Add(deflated(body, level), len(body))
		}
	}
	f.Fuzz(func(t *testing.T, compressed []byte, size int) {
		const most = 1 << 20
		in := bytes.NewReader(append(bytes.Clone(compressed), make([]byte, tail)...))
		var want []byte
		z, err := zlib.NewReader(in)
		if err == nil {
			want, err = io.ReadAll(io.LimitReader(z, most))
		}
		if errors.Is(err, zlib.ErrChecksum) { // which comes at the end, and is not looked at here
			err = nil
		}
		if len(want) == most {
			return
		}
		if err == nil {
			size = len(want)
		}
		got, used, ourErr := inflated(compressed, max(0, min(size, most)))
		if (err == nil) != (ourErr == nil) || err == nil && !bytes.Equal(got, want) {
			t.Errorf("got %d bytes, %v, and zlib %d, %v", len(got), ourErr, len(want), err)
		}
		if err == nil && used != int64(in.Size())-int64(in.Len()) {
			t.Errorf("used %d bytes, and zlib %d", used, in.Size()-int64(in.Len()))
		}
	})
}
