package git

import (
	"context"
	"fmt"
)

// A module says where a source stands as a submodule of another.
type module struct{ depth int }

// addSubmodules adds the files of submodules.
func (g *gathering) addSubmodules(_ context.Context, w *walk) error {
	if len(w.submodules) > 0 {
		return fmt.Errorf("submodules: %w", errUnsupported)
	}
	return nil
}
