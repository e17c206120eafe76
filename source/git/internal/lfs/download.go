package lfs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// download returns an object's content if it is the one that the pointer names.
func (f *fetcher) download(ctx context.Context, o object, g grant) ([]byte, error) {
	c := &call{method: http.MethodGet, url: g.url, header: g.header, leaves: true}
	response, err := f.send(ctx, c)
	if err != nil {
		return nil, o.wrong(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, o.wrong(&answerError{code: response.StatusCode, where: show(c.url)})
	}
	body, err := c.readObject(response, o)
	if err != nil {
		return nil, o.wrong(fmt.Errorf("%s: %w", show(c.url), err))
	}
	return body, nil
}

// readObject takes as many bytes as the pointer says, which is within Limits.MaxFileBytes, and one more if there is one:
// that is how a longer answer is told.
func (c *call) readObject(response *http.Response, o object) ([]byte, error) {
	if response.ContentLength >= 0 && response.ContentLength != o.Size {
		return nil, fmt.Errorf("it sends %d bytes, and the pointer says %d", response.ContentLength, o.Size)
	}
	body := make([]byte, o.Size)
	n, err := io.ReadFull(response.Body, body)
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.ErrUnexpectedEOF
		return nil, fmt.Errorf("it sends %d bytes, and the pointer says %d: %w", n, o.Size, err)
	}
	if err != nil {
		return nil, c.conceal(err)
	}
	if more, _ := io.ReadFull(response.Body, make([]byte, 1)); more > 0 {
		return nil, fmt.Errorf("it sends more than the %d bytes that the pointer says", o.Size)
	}
	if sum := sha256.Sum256(body); hex.EncodeToString(sum[:]) != o.OID {
		return nil, fmt.Errorf("it sends other content, whose SHA-256 is %x", sum)
	}
	return body, nil
}
