package myrelay

import (
	"context"

	"sqlveil/protocol/mywire"
	"sqlveil/proxy/session"
)

// fieldList deals with COM_FIELD_LIST, which tells what SHOW COLUMNS tells and is
// judged as that. Clients complete names by it.
func (c *conn) fieldList(ctx context.Context) error {
	body, err := c.client.Body(maxReply)
	if err != nil {
		return err
	}
	list, err := mywire.DecodeFieldList(body)
	if err != nil {
		return &commandError{err}
	}
	a, err := c.sendAs(ctx, "SHOW COLUMNS FROM "+quoted(list.Table))
	if a == nil {
		return err
	}
	for {
		h, err := c.fromServer()
		switch {
		case err != nil:
			return err
		case mywire.ReplyOf(h) == mywire.ReplyError:
			return c.failed(a)
		case !mywire.IsRow(h.First, h.Size):
			c.end(a, session.Succeeded)
			return c.server.CopyTo(c.client)
		}
		if err := c.server.CopyTo(c.client); err != nil {
			return err
		}
	}
}
