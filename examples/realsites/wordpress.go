package realsites

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// theme shows a member's bio and website on the author page, as the themes do
// that communities use. Debian's package brings none.
//
//go:embed theme.php
var theme string

// StartWordPress starts WordPress with a MariaDB of its own and open
// registration: people give a name and an address, and choose the password on
// the page that the mail leads to. Author pages live at /author/NAME/. All state
// stands in a new directory below dir, or below the system's temporary directory
// when dir is empty. Ctx bounds the start only.
func StartWordPress(ctx context.Context, dir string, o Options) (*Site, error) {
	b, err := begin("wordpress", WordPressDomain, dir, o, "/usr/share/wordpress/wp-load.php", "/usr/bin/mariadb-install-db", "/usr/sbin/mariadbd")
	if err != nil {
		return nil, err
	}
	return b.done(b.wordpress(ctx))
}

func (b *setup) wordpress(ctx context.Context) error {
	const from = "/usr/share/wordpress"
	if err := b.mkdir("www", "www/wp-content", "www/wp-content/uploads", "www/wp-content/plugins", "www/wp-content/themes", "www/wp-content/themes/members"); err != nil {
		return err
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		switch e.Name() {
		case "wp-config.php", "wp-content", ".htaccess":
		default:
			if err := os.Symlink(filepath.Join(from, e.Name()), filepath.Join(b.Dir, "www", e.Name())); err != nil {
				return err
			}
		}
	}
	socket, err := b.mariadb(ctx)
	if err != nil {
		return err
	}
	www := b.Dir + "/www/"
	for name, content := range map[string]string{
		"www/wp-config.php": fmt.Sprintf(`<?php
define('DB_NAME', 'wordpress');
define('DB_USER', 'root');
define('DB_PASSWORD', '');
define('DB_HOST', %s);
define('DB_CHARSET', 'utf8mb4');
define('DB_COLLATE', '');
foreach (['AUTH_KEY', 'SECURE_AUTH_KEY', 'LOGGED_IN_KEY', 'NONCE_KEY', 'AUTH_SALT', 'SECURE_AUTH_SALT', 'LOGGED_IN_SALT', 'NONCE_SALT'] as $k) define($k, $k . ' of a site on loopback');
define('WP_HOME', %[2]s);
define('WP_SITEURL', %[2]s);
define('WP_HTTP_BLOCK_EXTERNAL', true);
define('DISABLE_WP_CRON', true);
define('AUTOMATIC_UPDATER_DISABLED', true);
define('WP_DEFAULT_THEME', 'members');
$table_prefix = 'wp_';
require_once ABSPATH . 'wp-settings.php';
`, quotePHP("localhost:"+socket), quotePHP(b.URL)),
		"www/wp-content/themes/members/style.css": "/*\nTheme Name: Members\n*/\n",
		"www/wp-content/themes/members/index.php": theme,
		"install.php": `<?php
define('WP_INSTALLING', true);
$_SERVER['HTTP_HOST'] = parse_url($argv[1], PHP_URL_HOST) . ':' . parse_url($argv[1], PHP_URL_PORT);
$_SERVER['REQUEST_URI'] = '/';
require ABSPATH . 'wp-load.php';
require_once ABSPATH . 'wp-admin/includes/upgrade.php';
function wp_new_blog_notification() {}
wp_install('Garden notes', 'keeper', 'keeper@wordpress.test', true, '', 'Harbour-Lantern-7310');
update_option('users_can_register', 1);
update_option('permalink_structure', '/%postname%/');
update_option('show_avatars', 0);
flush_rewrite_rules();
switch_theme('members');
`,
	} {
		if err := b.write(name, content, 0o644); err != nil {
			return err
		}
	}
	// The scripts are links, and look for the configuration beside their targets otherwise.
	if err := b.prepend(fmt.Sprintf("define('ABSPATH', %s);\n", quotePHP(www))); err != nil {
		return err
	}
	if _, err := b.php(ctx, b.Dir+"/install.php", b.URL); err != nil {
		return err
	}
	b.profile = func(name string) string { return b.URL + "/author/" + niceName(name) + "/" }
	b.data = b.count(fmt.Sprintf(`$db = new PDO('mysql:dbname=wordpress;unix_socket=' . %s, 'root', '');
$q = $db->prepare('SELECT COUNT(*) FROM wp_users WHERE user_login = ?'); $q->execute([$argv[1]]); echo $q->fetchColumn();`, quotePHP(socket)))
	return b.serve(ctx, www)
}

var unnice = regexp.MustCompile(`[^a-z0-9_]+`)

// niceName is the name in the address of an author page.
func niceName(name string) string {
	return strings.Trim(unnice.ReplaceAllString(strings.ToLower(name), "-"), "-")
}

// mariadb starts the site's own database and returns its socket.
func (b *setup) mariadb(ctx context.Context) (socket string, err error) {
	socket = b.Dir + "/db.sock"
	if len(socket) > 100 {
		return "", fmt.Errorf("%s is too long for MariaDB's socket: at most 100 characters", socket)
	}
	data := b.Dir + "/db"
	small := []string{"--innodb-log-file-size=8M", "--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0", "--skip-log-bin", "--performance-schema=0"}
	if _, err := b.run(ctx, "mariadb-install-db", append([]string{"--no-defaults", "--datadir=" + data, "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"}, small...)...); err != nil {
		return "", err
	}
	if err := b.write("db.sql", "CREATE DATABASE IF NOT EXISTS wordpress CHARACTER SET utf8mb4;\n", 0o644); err != nil {
		return "", err
	}
	_, err = b.start(ctx, "ready for connections", "mariadbd", append([]string{"--no-defaults", "--datadir=" + data, "--socket=" + socket, "--skip-networking",
		"--pid-file=" + b.Dir + "/db.pid", "--init-file=" + b.Dir + "/db.sql", "--skip-name-resolve", "--tmpdir=" + b.Dir}, small...)...)
	return socket, err
}
