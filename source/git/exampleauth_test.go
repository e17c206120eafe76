package git_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
)

// A user and a password. Most hosts take a personal access token for the password, and many any user with it.
func ExampleNew_basic() {
	origin, err := git.New("https://example.com/org/fleet.git", git.Options{
		Username: "git",
		Password: os.Getenv("GIT_TOKEN"),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(origin)
	// Output: https://example.com/org/fleet.git
}

// A token that goes into the header Authorization as it is, as Bitbucket Data Center and Azure DevOps have them.
func ExampleNew_token() {
	origin, err := git.New("https://example.com/org/fleet.git", git.Options{Token: os.Getenv("GIT_TOKEN")})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(origin)
	// Output: https://example.com/org/fleet.git
}

// The tokens of a GitHub App's installation live for an hour. The function is asked when there is none, shortly before it
// expires, and when it is refused.
func ExampleCredential() {
	installationToken := func(ctx context.Context) (token string, expires time.Time, err error) {
		url := "https://api.github.com/app/installations/" + os.Getenv("INSTALLATION") + "/access_tokens"
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
		if err != nil {
			return "", time.Time{}, err
		}
		request.Header.Set("Authorization", "Bearer "+os.Getenv("APP_JWT")) // signed with the app's key
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return "", time.Time{}, err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusCreated {
			return "", time.Time{}, fmt.Errorf("asking for an installation token: %s", response.Status)
		}
		var answer struct {
			Token   string    `json:"token"`
			Expires time.Time `json:"expires_at"`
		}
		err = json.NewDecoder(response.Body).Decode(&answer)
		return answer.Token, answer.Expires, err
	}
	origin, err := git.New("https://github.com/org/fleet", git.Options{
		Credentials: func(ctx context.Context, _ git.CredentialRequest) (git.Credential, error) {
			token, expires, err := installationToken(ctx)
			return git.Credential{Username: "x-access-token", Password: token, Expires: expires}, err
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(origin)
	// Output: https://github.com/org/fleet
}

// One function for several repositories, for submodules too: it must not give the credentials of one host to another.
func ExampleCredentialRequest() {
	credentials := func(_ context.Context, r git.CredentialRequest) (git.Credential, error) {
		switch r.URL {
		case "https://example.com/org/fleet.git", "https://example.com/org/base.git":
			return git.Credential{Token: os.Getenv("EXAMPLE_TOKEN")}, nil
		}
		return git.Credential{}, nil // anyone
	}
	origin, err := git.New("https://example.com/org/fleet.git", git.Options{Credentials: credentials, Submodules: true})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(origin)
	// Output: https://example.com/org/fleet.git
}

// A deploy key. The lines of known_hosts are what ssh-keyscan prints, held against the fingerprints that the host tells.
func ExampleNew_sshKey() {
	key, err := os.ReadFile("/etc/fleet/ssh/id_ed25519")
	if err != nil {
		log.Fatal(err)
	}
	knownHosts, err := os.ReadFile("/etc/fleet/ssh/known_hosts")
	if err != nil {
		log.Fatal(err)
	}
	origin, err := git.New("git@github.com:org/fleet.git", git.Options{
		PrivateKey: key,
		Passphrase: []byte(os.Getenv("SSH_PASSPHRASE")), // where the key is encrypted
		KnownHosts: knownHosts,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(origin)
}

// The keys of the agent that SSH_AUTH_SOCK names.
func ExampleNew_sshAgent() {
	home, err := os.UserHomeDir()
	if err != nil {
		log.Fatal(err)
	}
	knownHosts, err := os.ReadFile(filepath.Join(home, ".ssh", "known_hosts"))
	if err != nil {
		log.Fatal(err)
	}
	origin, err := git.New("ssh://git@example.com/org/fleet.git", git.Options{SSHAgent: true, KnownHosts: knownHosts})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(origin)
}

// A server of one's own, whose certificate a company's authority has signed, and which wants one of the client.
func ExampleNew_clientCertificate() {
	var pem [3][]byte
	for i, name := range []string{"ca.crt", "tls.crt", "tls.key"} {
		var err error
		if pem[i], err = os.ReadFile(filepath.Join("/etc/fleet/tls", name)); err != nil {
			log.Fatal(err)
		}
	}
	origin, err := git.New("https://git.example.com/org/fleet.git", git.Options{
		CA:                pem[0],
		ClientCertificate: pem[1],
		ClientKey:         pem[2],
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(origin)
}

// The proxies that HTTPS_PROXY and NO_PROXY name count for HTTP by themselves; this one counts for SSH too.
func ExampleNew_proxy() {
	origin, err := git.New("https://example.com/org/fleet.git", git.Options{Proxy: "socks5://proxy.example.com:1080"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(origin)
	// Output: https://example.com/org/fleet.git
}

// Only tags that a release manager signed, of versions. What is not signed so is source.ErrUnverified.
func ExampleVerification_openPGP() {
	keys, err := os.ReadFile("/etc/fleet/release-managers.asc") // gpg --export --armor
	if err != nil {
		log.Fatal(err)
	}
	origin, err := git.New("https://example.com/org/fleet.git", git.Options{
		SemVer: "1.x",
		Verify: git.Verification{Tag: true, OpenPGP: [][]byte{keys}},
	})
	if err != nil {
		log.Fatal(err)
	}
	snapshot, err := origin.Fetch(context.Background(), source.Revision{})
	if err != nil {
		log.Fatal(err)
	}
	defer snapshot.Close()
	for _, s := range snapshot.Signatures {
		fmt.Println(s.Kind, s.Tag, "is signed by", s.Signer, s.Key)
	}
}

// Only commits that somebody signed with one of these SSH keys.
func ExampleVerification_ssh() {
	origin, err := git.New("https://example.com/org/fleet.git", git.Options{
		Branch: "main",
		Verify: git.Verification{
			Commit: true,
			SSH: []byte("ann@example.com ssh-ed25519 " +
				"AAAAC3NzaC1lZDI1NTE5AAAAIJxZqKqPvhWIUxvO7i2L0e7iBvqFLkbhLw7XVpHvzXxM\n"), // lines of allowed_signers
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(origin)
	// Output: https://example.com/org/fleet.git
}
