// Package webhook has a loop look at its source at once, when a Git host or an object store says that something came.
//
//	hook, err := webhook.New(webhook.Options{
//		Provider: webhook.GitHub,
//		Secrets:  []string{os.Getenv("WEBHOOK_SECRET")},
//		OnPush: func(p webhook.Push) {
//			if p.Concerns("https://github.com/example/fleet", "refs/heads/main") {
//				loop.Trigger()
//			}
//		},
//	})
//	mux.Handle("POST /hooks/github", hook)
//
// # Who may send
//
// A message counts only if it has the secret's mark, which is compared in constant time before anything of the message is
// read as more than bytes:
//
//	GitHub    X-Hub-Signature-256, the HMAC-SHA256 of the body
//	GitLab    webhook-signature, of id, time and body, where the hook has a signing token (whsec_…); else X-Gitlab-Token
//	Gitea     X-Gitea-Signature, and Forgejo's X-Forgejo-Signature, the HMAC-SHA256 of the body
//	Generic   X-Signature: sha256=… or sha512=…, the HMAC of the body; or webhook-signature, as above
//	Bucket    Authorization, by itself or after "Bearer ", or X-Api-Key: the secret itself
//
// Several secrets are for the time in which one takes the other's place.
//
// # What a message can do
//
// It can make a loop ask its source, and nothing else: what is applied, the source says. So a message that somebody took
// down and sends again is of no use to him. Those whose bytes cannot come twice (GitHub, Gitea, and whatever is signed with
// a time) are remembered, 1,024 of them, and do nothing the second time; with a time they are refused once they are
// five minutes old. A burst of messages is one round: Loop.Trigger asks for the next one, however often it is called.
//
// A Generic message may be anything, also empty. One such as {"repository": "https://…", "ref": "refs/heads/main", "commit":
// "…"} concerns that repository and that reference, and any other concerns all.
//
// Messages about other things than a push, such as GitHub's ping, are answered well and do nothing.
//
// # Object stores
//
// Bucket reads the notifications of S3, in which MinIO, Ceph and others send the same records, and the events of Amazon
// EventBridge about objects, which an API destination delivers with an API key. Amazon SNS is not read: to verify its
// messages takes a certificate from a host that the message names. MinIO asks for the address by HEAD, without a secret,
// before it sends, and is answered.
//
// # What it never does
//
// It opens no connection, starts no goroutine, and tells no secret: not in an answer, not in an error, not when Options or
// a Handler are printed. A message is read up to [Options.MaxBytes], and for ten seconds.
package webhook
