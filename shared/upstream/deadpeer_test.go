package upstream_test

import (
	"context"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caseroom/caseroom/shared/upstream"
)

// pipes is a listener whose connections are pipes, so that time may be simulated.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 443} }

func (p *pipes) dial() (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// dying is a connection whose packets vanish from some moment on, both ways and
// without a word: what a gateway does that has forgotten it.
type dying struct {
	net.Conn
	dead atomic.Bool
}

func (d *dying) Write(b []byte) (int, error) {
	if d.dead.Load() {
		return len(b), nil
	}
	return d.Conn.Write(b)
}

// TestADeadPeerIsNoticed: a vendor is there and takes new connections, and the
// one that is kept alive leads nowhere. It may cost the calls of a few seconds,
// not those of minutes.
func TestADeadPeerIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		listener := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.ProtoMajor != 2 {
				t.Errorf("spoken: %s", r.Proto)
			}
			_, _ = w.Write([]byte("{}"))
		}))
		_ = srv.Listener.Close()
		srv.Listener, srv.EnableHTTP2 = listener, true
		srv.StartTLS()
		defer srv.Close()

		var last *dying
		dials := 0
		transport := upstream.SharedTransport.(*http.Transport).Clone()
		transport.TLSClientConfig.RootCAs = x509.NewCertPool()
		transport.TLSClientConfig.RootCAs.AddCert(srv.Certificate())
		transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
			c, err := listener.dial()
			last = &dying{Conn: c}
			dials++
			return last, err
		}
		defer transport.CloseIdleConnections()
		client, err := upstream.New(upstream.Options{Vendor: "zendesk", BaseURL: srv.URL, Transport: transport})
		if err != nil {
			t.Fatal(err)
		}
		call := func() error {
			_, err := client.Do(t.Context(), upstream.Call{Op: "x", Method: "POST", Path: "/"})
			return err
		}
		if err := call(); err != nil {
			t.Fatal(err)
		}
		last.dead.Store(true)
		failed := 0
		for range 6 {
			if call() != nil {
				failed++
			}
			time.Sleep(time.Second)
		}
		if failed > 1 || dials != 2 {
			t.Errorf("%d of 6 calls failed, over %d connections", failed, dials)
		}
	})
}
