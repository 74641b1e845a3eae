package bench

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
)

// A Floor is a relay with nothing of sqlveil in it: what any proxy written in Go
// pays at least on this machine.
type Floor func(client, server net.Conn)

// Floors are the relays by wire and name.
var Floors = map[string]map[string]Floor{
	"postgres": {
		"go-copy":  copyBoth,
		"go-frame": func(client, server net.Conn) { framed(client, server, func(b []byte) int { return walk(b, false) }) },
		"go-mask":  func(client, server net.Conn) { framed(client, server, func(b []byte) int { return walk(b, true) }) },
	},
	"mysql": {
		"go-copy":  copyBoth,
		"go-frame": func(client, server net.Conn) { framed(client, server, new(packets).walk) },
		"go-mask":  func(client, server net.Conn) { framed(client, server, (&packets{mask: true}).walk) },
	},
}

// bufferSize is what sqlveil reads at a time.
const bufferSize = 32 << 10

// ServeFloor relays connections to target until the listener is closed.
func ServeFloor(socket net.Listener, target string, floor Floor) error {
	for {
		client, err := socket.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		server, err := net.Dial("tcp", target)
		if err != nil {
			client.Close()
			return err
		}
		go floor(client, server)
	}
}

// both runs one direction in each of two goroutines until one ends.
func both(client, server net.Conn, up, down func(to, from net.Conn)) {
	var wg sync.WaitGroup
	closeBoth := func() {
		client.Close()
		server.Close()
	}
	wg.Go(func() { up(server, client); closeBoth() })
	wg.Go(func() { down(client, server); closeBoth() })
	wg.Wait()
}

// copyBoth reads into a buffer and writes it out, in both directions.
func copyBoth(client, server net.Conn) { both(client, server, copyThrough, copyThrough) }

// copyThrough hides what the kernel could splice: a proxy has to see the bytes.
func copyThrough(to, from net.Conn) {
	_, _ = io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{from}, make([]byte, bufferSize)) // either may leave
}

// framed copies, and lets every message of the server be walked: walk is given
// what has come and returns where the last complete message in it ends.
func framed(client, server net.Conn, walk func(data []byte) (end int)) {
	both(client, server, copyThrough, func(to, from net.Conn) {
		buffer := make([]byte, bufferSize)
		kept := 0 // bytes of a message that is not complete
		for {
			n, err := from.Read(buffer[kept:])
			whole := walk(buffer[:kept+n])
			if whole == 0 && kept+n == len(buffer) {
				buffer = append(buffer, make([]byte, len(buffer))...)
			}
			if _, werr := to.Write(buffer[:whole]); err != nil || werr != nil {
				return
			}
			kept = copy(buffer, buffer[whole:kept+n])
		}
	})
}

// walk goes through complete messages of PostgreSQL, masks the third cell of their
// DataRows and lines of COPY if it is to, and returns where they end.
func walk(data []byte, mask bool) (end int) {
	for end+5 <= len(data) {
		size := 1 + int32At(data[end+1:])
		if size < 5 || end+size > len(data) {
			return end
		}
		switch {
		case mask && data[end] == 'D':
			maskThird(data[end+7 : end+size])
		case mask && data[end] == 'd':
			maskThirdField(data[end+5 : end+size])
		}
		end += size
	}
	return end
}

// maskThird overwrites the third cell of a row, given its cells.
func maskThird(cells []byte) {
	for column := 0; len(cells) >= 4; column++ {
		size := max(0, int32At(cells)) // NULL is -1
		cell := cells[4:min(len(cells), 4+size)]
		if column == 2 {
			overwrite(cell)
			return
		}
		cells = cells[4+len(cell):]
	}
}

// maskThirdField overwrites the third field of a line of COPY in text format.
func maskThirdField(line []byte) {
	for range 2 {
		line = line[bytes.IndexByte(line, '\t')+1:]
	}
	if end := bytes.IndexAny(line, "\t\n"); end > 0 {
		overwrite(line[:end])
	}
}

// overwrite masks a cell in place: all but its last four bytes.
func overwrite(cell []byte) {
	for i := range max(0, len(cell)-4) {
		cell[i] = '*'
	}
}

func int32At(b []byte) int {
	return int(int32(uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])))
}
