// Package wire is Git's protocol as bytes: pkt-lines, the list of references, and what is asked of git-upload-pack and
// answered, in version 0 and version 2. It opens no connection.
//
// Version 0 lists the references in the server's first answer, and gives what these are; version 2 lists them when it is
// asked to, and gives any object by its hash.
package wire
