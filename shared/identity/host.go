package identity

import (
	"net"
	"strings"
)

// Host returns a URL's host, port included, in the one spelling by which desks
// are told apart: lower case, and 127.0.0.1 for every name of this machine. SAM's
// containers call it host.docker.internal, and are the same installation.
func Host(host string) string {
	host = strings.ToLower(host)
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name, port = strings.Trim(host, "[]"), ""
	}
	if ip := net.ParseIP(name); name != "localhost" && name != "host.docker.internal" && (ip == nil || !ip.IsLoopback()) {
		return host
	}
	if port == "" {
		return "127.0.0.1"
	}
	return net.JoinHostPort("127.0.0.1", port)
}
