package transport

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

func TestKnownHostsPatterns(t *testing.T) {
	_, signer := sshKey(t)
	key := string(ssh.MarshalAuthorizedKey(signer.PublicKey()))
	for _, tt := range []struct {
		pattern, address string
		want             bool
	}{
		{"example.com", "example.com:22", true},
		{"Example.COM", "eXample.com:22", true},
		{"example.com", "example.com:2222", false},
		{"[example.com]:2222", "example.com:2222", true},
		{"[example.com]:*", "example.com:2222", true},
		{"[example.com]:2222", "example.com:22", false},
		{"*.example.com", "git.example.com:22", true},
		{"*.example.com", "example.com:22", false},
		{"*.example.com,!git.example.com", "git.example.com:22", false},
		{"!git.example.com,*.example.com", "ssh.example.com:22", true},
		{"!git.example.com", "ssh.example.com:22", false},
		{"g?t.*", "git.example.com:22", true},
		{"g?t", "gt:22", false},
		{"a*b*c", "aXbYbZc:22", true},
		{"a*b*c", "aXbYbZcd:22", false},
		{"::1", "[::1]:22", true},
		{"[::1]:2222", "[::1]:2222", true},
		{knownhosts.HashHostname("example.com"), "example.com:22", true},
		{knownhosts.HashHostname("[example.com]:2222"), "example.com:2222", true},
		{knownhosts.HashHostname("example.com"), "example.org:22", false},
		{"|1|!|!", "example.com:22", false},
		{"|2|YQ==|YQ==", "example.com:22", false},
	} {
		known, err := parseKnownHosts([]byte("# comment\n\n" + tt.pattern + " " + key))
		must(t, err)
		err = known.check(tt.address, &net.TCPAddr{}, signer.PublicKey())
		if got := err == nil; got != tt.want {
			t.Errorf("%q for %s: got %v", tt.pattern, tt.address, err)
		}
		want := []string(nil)
		if tt.want {
			want = []string{ssh.KeyAlgoED25519}
		}
		if got := known.algorithms(tt.address); !slices.Equal(got, want) {
			t.Errorf("%q for %s: algorithms are %v", tt.pattern, tt.address, got)
		}
	}
}

func TestKnownHostsPassOverOtherKindsOfKey(t *testing.T) {
	_, signer := sshKey(t)
	key := string(ssh.MarshalAuthorizedKey(signer.PublicKey()))
	future := "example.com ssh-future AAAACnNzaC1mdXR1cmU="
	known, err := parseKnownHosts([]byte(future + "\r\nexample.com " + key))
	if err != nil || len(known) != 1 {
		t.Errorf("got %v, %v", known, err)
	}
	for text, want := range map[string]string{
		future: "no key that can be used", "# only a comment": "no key that can be used",
		key + "hunter2 hunter2 hunter2": "line 1", "example.com " + key + "hunter2 ssh-rsa hunter2 hunter2": "line 2",
	} {
		if _, err := parseKnownHosts([]byte(text)); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

func FuzzKnownHosts(f *testing.F) {
	const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl\n"
	for _, hosts := range []string{"example.com", "[a]:1,!b*,?", knownhosts.HashHostname("a"), "@revoked *", "@cert-authority *.a", "|1||"} {
		f.Add(hosts+" "+key, "example.com:22")
	}
	f.Fuzz(func(t *testing.T, lines, address string) {
		known, err := parseKnownHosts([]byte(lines))
		if err != nil {
			return
		}
		for _, line := range known {
			err := known.check(address, &net.TCPAddr{}, line.key)
			matches := line.marker == "" && line.matches(hostName(address))
			if revoked := known.of(address).has("revoked", line.key); err == nil && revoked || err != nil && matches && !revoked {
				t.Errorf("%q for %q: got %v", lines, address, err)
			}
		}
		_ = fmt.Sprint(known.algorithms(address))
	})
}
