//go:build unix

package cache

import "os"

// syncFolder makes what was renamed in a folder outlive a power cut.
func syncFolder(root *os.Root) error {
	f, err := root.Open(".")
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
