package anchor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// webhook posts checkpoints to a web server.
type webhook struct {
	url    *url.URL
	client *http.Client
}

func newWebhook(u *url.URL) *webhook {
	return &webhook{u, &http.Client{
		// A checkpoint that goes elsewhere is not kept where it should be.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// String leaves out what may be secret: user, password and query.
func (w *webhook) String() string { return w.url.Scheme + "://" + w.url.Host + w.url.Path }

// Publish posts the note; any answer but 2xx is a failure.
func (w *webhook) Publish(ctx context.Context, signed []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url.String(), bytes.NewReader(signed))
	if err != nil {
		return w.hide(err)
	}
	r.Header.Set("Content-Type", "text/plain; charset=utf-8")
	answer, err := w.client.Do(r)
	if err != nil {
		return w.hide(err)
	}
	const enough = 4 << 10 // of the body, to use the connection again
	_, err = io.CopyN(io.Discard, answer.Body, enough)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if answer.StatusCode/100 != 2 {
		err = fmt.Errorf("%s answers %s", w, answer.Status)
	}
	return errors.Join(err, answer.Body.Close())
}

// hide takes the address out of an error.
func (w *webhook) hide(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return fmt.Errorf("%s: %w", w, err)
}
