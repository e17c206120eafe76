package webhook

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// A Push says that a reference of a repository is another now. It is what its sender says: ask the origin.
type Push struct {
	Provider Provider
	// Repositories are the repository's URLs, as the host gives them out: over HTTPS, SSH, and of its page. Generic has the
	// one that the message names, or none.
	Repositories []string
	// Ref is the reference in full, "refs/heads/main"; empty where the message does not say.
	Ref string
	// Commit is what it is now, in hex; empty where it was deleted, or where the message does not say.
	Commit string
	// Deleted says that the reference is gone.
	Deleted bool
}

// Branch returns the branch's name, or nothing where the reference is another kind or not known.
func (p Push) Branch() string { return shortened(p.Ref, "refs/heads/") }

// Tag returns the tag's name, or nothing where the reference is another kind or not known.
func (p Push) Tag() string { return shortened(p.Ref, "refs/tags/") }

func shortened(ref, prefix string) string {
	name, ok := strings.CutPrefix(ref, prefix)
	if !ok {
		return ""
	}
	return name
}

// Concerns reports whether the push may have changed the repository, as [SameRepository] compares URLs, at one of the
// references; without any, at whichever. What a Generic message does not say concerns all.
func (p Push) Concerns(repository string, refs ...string) bool {
	if len(p.Repositories) > 0 && !slices.ContainsFunc(p.Repositories, func(u string) bool { return SameRepository(u, repository) }) {
		return false
	}
	return len(refs) == 0 || p.Ref == "" || slices.Contains(refs, p.Ref)
}

// A pushMessage is what the hosts' messages have in common, and where they differ.
type pushMessage struct {
	Ref     string `json:"ref"`
	After   string `json:"after"`
	Deleted bool   `json:"deleted"`

	Repository addresses `json:"repository"` // GitHub, Gitea
	Project    addresses `json:"project"`    // GitLab
}

// addresses are a repository's URLs under the names that the hosts have for them.
type addresses struct {
	CloneURL   string `json:"clone_url"`
	SSHURL     string `json:"ssh_url"`
	GitURL     string `json:"git_url"`
	HTMLURL    string `json:"html_url"`
	GitHTTPURL string `json:"git_http_url"`
	GitSSHURL  string `json:"git_ssh_url"`
	WebURL     string `json:"web_url"`
}

// addTo adds those that are not among urls.
func (a addresses) addTo(urls []string) []string {
	for _, u := range []string{a.CloneURL, a.SSHURL, a.GitURL, a.HTMLURL, a.GitHTTPURL, a.GitSSHURL, a.WebURL} {
		if u != "" && !slices.Contains(urls, u) {
			urls = append(urls, u)
		}
	}
	return urls
}

// pushOf returns what the message says, or nil if it is about something else.
func (h *Handler) pushOf(header http.Header, body []byte) (*Push, error) {
	switch h.opts.Provider {
	case GitHub:
		return h.hostPush(header.Get("X-GitHub-Event") == "push", body)
	case Gitea:
		event := header.Get("X-Gitea-Event")
		if event == "" {
			event = header.Get("X-Forgejo-Event")
		}
		return h.hostPush(event == "push", body)
	case GitLab:
		event := header.Get("X-Gitlab-Event")
		return h.hostPush(event == "Push Hook" || event == "Tag Push Hook" || event == "System Hook" && gitlabPush(body), body)
	}
	return genericPush(body), nil
}

// gitlabPush reports whether a message of GitLab's system hook, which has many kinds under one name, is about a push.
func gitlabPush(body []byte) bool {
	var m struct {
		Event string `json:"event_name"`
	}
	return json.Unmarshal(body, &m) == nil && (m.Event == "push" || m.Event == "tag_push")
}

func (h *Handler) hostPush(isPush bool, body []byte) (*Push, error) {
	if !isPush {
		return nil, nil
	}
	var m pushMessage
	if err := json.Unmarshal(body, &m); err != nil {
		return nil, refusef(http.StatusBadRequest, "the message is no JSON of a push: %v", err)
	}
	p := &Push{Provider: h.opts.Provider, Ref: m.Ref, Commit: m.After, Deleted: m.Deleted}
	p.Repositories = m.Project.addTo(m.Repository.addTo(nil))
	if len(p.Repositories) == 0 || p.Ref == "" {
		return nil, refusef(http.StatusBadRequest, "the message names no repository, or no ref: is it of %s?", h.opts.Provider)
	}
	// A deleted reference comes to be all zeros, in SHA-1 as in SHA-256.
	if p.Commit != "" && strings.Trim(p.Commit, "0") == "" {
		p.Commit, p.Deleted = "", true
	}
	return p, nil
}

// genericPush takes any message. What is not said in JSON with repository, ref and commit as texts is not known, and the
// push concerns all: a round too many does no harm.
func genericPush(body []byte) *Push {
	var m struct{ Repository, Ref, Commit string }
	if json.Unmarshal(body, &m) != nil {
		return &Push{Provider: Generic}
	}
	p := &Push{Provider: Generic, Ref: m.Ref, Commit: m.Commit}
	if m.Repository != "" {
		p.Repositories = []string{m.Repository}
	}
	return p
}
