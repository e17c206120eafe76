// Package transport opens conversations with git-upload-pack, the program that serves Git repositories, over HTTP and HTTPS,
// SSH and git://. It carries bytes and knows who may: what the bytes say is for package wire.
//
//	t, err := transport.New(u, transport.Options{…})
//	conn, err := t.Open(ctx, 2)              // the server's first answer is there to be read
//	answer, err := conn.Ask(ctx, 2, request) // and the answer to a request
//	err = conn.Close()
//
// A conversation is one TCP connection where the server keeps it: over HTTP its requests follow each other on it. Close
// leaves no connection and no goroutine behind, nor does an error of Open. The contexts given to Open and Ask have to
// last as long as what they opened is read; when one ends, or no byte comes for Options.StallTimeout, the connection is
// closed and whatever waits for it returns.
//
// # Credentials
//
// They come from Options.Credentials, which is asked before the first request, since asking without them first would be a
// request more. What it gives is kept until it expires or the server refuses it. A refusal has it asked again, once.
// Credentials go to the repository's own origin alone, its scheme, host and port, or from http to https at the usual ports;
// redirects lead nowhere else. They do not go over plain http:// unless an option says so, and never over git://.
//
// The server of SSH has to be known by its key, from Options.KnownHosts. There is no way to take any key.
//
// Errors hide credentials even where a server repeats them, and tell nothing that a server sent except what git-upload-pack
// says over SSH or git://, and over HTTP the type of an answer that is not Git's and where a redirect leads: it is cut and
// quoted. They wrap source.ErrNotFound, source.ErrUnauthorized, [ErrStalled] and the context's error where these are the
// reason.
package transport
