package transport

// Clean implements [Transport].
func (t *HTTP) Clean(err error) error { return t.site.secrets.Clean(err) }

// Clean implements [Transport].
func (t *shell) Clean(err error) error { return t.site.secrets.Clean(err) }

// Clean implements [Transport].
func (t *daemon) Clean(err error) error { return t.site.secrets.Clean(err) }
