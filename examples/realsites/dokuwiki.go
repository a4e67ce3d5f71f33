package realsites

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// StartDokuWiki starts DokuWiki with open registration: people choose their own
// password, or get one by mail, and may edit the page user:NAME. All state stands in a new directory
// below dir, or below the system's temporary directory when dir is empty. Ctx
// bounds the start only.
func StartDokuWiki(ctx context.Context, dir string, o Options) (*Site, error) {
	b, err := begin("dokuwiki", DokuWikiDomain, dir, o, "/usr/share/dokuwiki/doku.php")
	if err != nil {
		return nil, err
	}
	return b.done(b.dokuwiki(ctx))
}

func (b *setup) dokuwiki(ctx context.Context) error {
	conf := b.Dir + "/conf/"
	if err := b.mkdir("conf", "data", "data/pages", "data/pages/user", "data/attic", "data/media", "data/media_attic", "data/media_meta",
		"data/meta", "data/cache", "data/index", "data/locks", "data/tmp", "data/log"); err != nil {
		return err
	}
	mailed := 0
	if b.opts.MailedPassword {
		mailed = 1
	}
	for name, content := range map[string]string{
		"conf/local.php": fmt.Sprintf(`<?php
$conf['title'] = 'Garden notes';
$conf['lang'] = %s;
$conf['license'] = '0';
$conf['useacl'] = 1;
$conf['superuser'] = '@admin';
$conf['disableactions'] = '';
$conf['autopasswd'] = %d;
$conf['savedir'] = %s;
$conf['baseurl'] = %s;
$conf['updatecheck'] = 0;
$conf['mailfrom'] = 'wiki@dokuwiki.test';
`, quotePHP(cmp.Or(b.opts.Language, "en")), mailed, quotePHP(b.Dir+"/data"), quotePHP(b.URL)),
		"conf/acl.auth.php":      "# <?php exit()?>\n*\t@ALL\t1\nuser:%USER%\t%USER%\t8\n",
		"conf/users.auth.php":    "# <?php exit()?>\n",
		"conf/plugins.local.php": "<?php\n$plugins['popularity'] = 0;\n",
		"data/pages/start.txt":   "====== Garden notes ======\n\nWhat grows here.\n",
	} {
		if err := b.write(name, content, 0o644); err != nil {
			return err
		}
	}
	if err := b.prepend(fmt.Sprintf("define('DOKU_CONF', %s);\n", quotePHP(conf))); err != nil {
		return err
	}
	b.profile = func(name string) string { return b.URL + "/doku.php?id=user:" + url.QueryEscape(strings.ToLower(name)) }
	b.data = func(_ context.Context, name string) (int, error) {
		file, err := os.ReadFile(filepath.Join(conf, "users.auth.php"))
		if err != nil {
			return 0, err
		}
		n := 0
		for line := range strings.Lines(string(file)) {
			if login, _, ok := strings.Cut(line, ":"); ok && login == name {
				n++
			}
		}
		return n, nil
	}
	return b.serve(ctx, "/usr/share/dokuwiki")
}

// quotePHP writes a text as a literal of PHP.
func quotePHP(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
