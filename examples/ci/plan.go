package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"

	"github.com/gitopskit/gitopskit/apply"
)

// plan writes what apply would change: for a person, for a comment on a pull request, or for a program.
func plan(ctx context.Context, o *options) error {
	objects, _, err := o.built(ctx)
	if err != nil {
		return err
	}
	applier, id, err := o.target(nil)
	if err != nil {
		return err
	}
	p, err := applier.Plan(ctx, apply.Set{ID: id, Objects: objects})
	// The plan is there in full where the server refuses some of it, too.
	if err := errors.Join(o.writePlan(p), err); err != nil {
		return err
	}
	if o.exitCode && p.Count(apply.Unchanged) < len(p.Changes) {
		return errChanges
	}
	return nil
}

func (o *options) writePlan(p *apply.Plan) error {
	switch o.output {
	case "markdown":
		return p.WriteMarkdown(o.out, apply.View{})
	case "json":
		return writeJSON(o.out, p)
	}
	return p.WriteDiff(o.out, apply.View{Color: isTerminal(o.out)})
}

func writeJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}
