package main

import (
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
)

// startEtcd starts a one-member etcd on loopback ports of its own choice and returns its client URL.
func startEtcd(dir string) (string, error) {
	c := embed.NewConfig()
	c.Dir = filepath.Join(dir, "etcd")
	c.LogLevel, c.LogOutputs = "fatal", []string{"stderr"}
	c.UnsafeNoFsync = true // the data lives no longer than the process
	loopback := []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	c.ListenClientUrls, c.AdvertiseClientUrls = loopback, loopback
	c.ListenPeerUrls, c.AdvertisePeerUrls = loopback, loopback
	c.InitialCluster = c.InitialClusterFromName(c.Name)
	c.TickMs, c.ElectionMs = 20, 200 // a single member elects itself in 0.2 s instead of 1 s, and survives a busy machine
	server, err := embed.StartEtcd(c)
	if err != nil {
		return "", err
	}
	select {
	case <-server.Server.ReadyNotify():
		return "http://" + server.Clients[0].Addr().String(), nil
	case <-time.After(30 * time.Second):
		return "", fmt.Errorf("not ready in 30 s")
	}
}
