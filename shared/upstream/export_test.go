package upstream

// SharedTransport is what a client has whose options name no transport.
var SharedTransport = sharedTransport
