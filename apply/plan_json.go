package apply

import (
	"encoding/json"
	"errors"
	"fmt"

	utiljson "k8s.io/apimachinery/pkg/util/json"
)

const planVersion = 1

// The document that a plan is in JSON. Its names stay.
type (
	planDocument struct {
		Version   int              `json:"version"`
		Set       setDocument      `json:"set"`
		Inventory string           `json:"inventory,omitempty"`
		Secrets   string           `json:"secrets,omitempty"`
		Error     string           `json:"error,omitempty"` // why there is no plan
		Changes   []changeDocument `json:"changes"`
	}
	setDocument struct {
		Namespace string `json:"namespace"`
		Name      string `json:"name"`
	}
	refDocument struct {
		Group     string `json:"group,omitempty"`
		Version   string `json:"version"`
		Kind      string `json:"kind"`
		Namespace string `json:"namespace,omitempty"`
		Name      string `json:"name"`
	}
	changeDocument struct {
		Ref         refDocument  `json:"ref"`
		Action      Action       `json:"action"`
		Error       string       `json:"error,omitempty"`
		Note        string       `json:"note,omitempty"`
		Adopted     bool         `json:"adopted,omitempty"`
		Differences []Difference `json:"differences,omitempty"`
		Omitted     int          `json:"omitted,omitempty"`
		Intent      string       `json:"intent,omitempty"`
		State       string       `json:"state,omitempty"`
	}
)

// MarshalJSON gives an object with
//
//	version    1
//	set        {namespace, name}
//	inventory  the state of the set's inventory; opaque
//	secrets    a sum of the set's Secrets; opaque
//	error      why there is no plan, where an error of the set as a whole kept it from being made
//	changes    [{ref: {group, version, kind, namespace, name}, action, error, note, adopted, omitted,
//	             differences: [{path, was, will, origin}],
//	             intent, state: what an Apply by this plan compares; opaque}]
//
// Absent is what is empty, was where a field is new, and will where it goes. Errors are their text.
func (p *Plan) MarshalJSON() ([]byte, error) {
	doc := planDocument{Version: planVersion, Set: setDocument(p.ID), Inventory: p.parent, Secrets: p.secrets, Error: p.failure,
		Changes: []changeDocument{}}
	for _, c := range p.Changes {
		change := changeDocument{Ref: refDocument(c.Ref), Action: c.Action, Note: c.Note, Adopted: c.Adopted,
			Differences: c.Differences, Omitted: c.Omitted, Intent: c.intent, State: c.state}
		if c.Err != nil {
			change.Error = c.reason()
		}
		doc.Changes = append(doc.Changes, change)
	}
	return json.Marshal(doc)
}

// UnmarshalJSON reads what MarshalJSON wrote. Of errors it has the text.
func (p *Plan) UnmarshalJSON(data []byte) error {
	var doc planDocument
	if err := json.Unmarshal(data, &doc); err != nil {
		return fmt.Errorf("reading a plan: %w: %w", ErrInvalid, err)
	}
	if doc.Version != planVersion {
		return fmt.Errorf("reading a plan: %w: its version is %d and this program knows %d", ErrInvalid, doc.Version, planVersion)
	}
	*p = Plan{ID: ID(doc.Set), parent: doc.Inventory, secrets: doc.Secrets, failure: doc.Error}
	for _, d := range doc.Changes {
		c := PlannedChange{Change: Change{Ref: Ref(d.Ref), Action: d.Action}, Note: d.Note, Adopted: d.Adopted,
			Differences: d.Differences, Omitted: d.Omitted, intent: d.Intent, state: d.State}
		if d.Error != "" {
			c.end(d.Action, "planning", errors.New(d.Error))
		}
		p.Changes = append(p.Changes, c)
	}
	return nil
}

// UnmarshalJSON keeps whole numbers whole.
func (d *Difference) UnmarshalJSON(data []byte) error {
	type plain Difference
	var raw struct {
		plain
		Was  json.RawMessage `json:"was"`
		Will json.RawMessage `json:"will"`
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	*d = Difference(raw.plain)
	for value, text := range map[*any]json.RawMessage{&d.Was: raw.Was, &d.Will: raw.Will} {
		if len(text) == 0 {
			continue
		}
		if err := utiljson.Unmarshal(text, value); err != nil {
			return err
		}
	}
	return nil
}

// reason is the error's text without the object's name.
func (c *PlannedChange) reason() string {
	var told *Error
	if errors.As(c.Err, &told) {
		return told.Err.Error()
	}
	return c.Err.Error()
}
