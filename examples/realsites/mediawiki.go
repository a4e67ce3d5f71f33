package realsites

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
)

// StartMediaWiki starts MediaWiki on SQLite. Unless the options say otherwise, an
// address must be confirmed by mail before its owner may edit. All state stands
// in a new directory below dir, or below the system's temporary directory when
// dir is empty. Ctx bounds the start only.
func StartMediaWiki(ctx context.Context, dir string, o Options) (*Site, error) {
	b, err := begin("mediawiki", MediaWikiDomain, dir, o, "/usr/share/mediawiki/maintenance/install.php")
	if err != nil {
		return nil, err
	}
	return b.done(b.mediawiki(ctx))
}

func (b *setup) mediawiki(ctx context.Context) error {
	const root = "/usr/share/mediawiki"
	if err := b.mkdir("data", "cache", "images"); err != nil {
		return err
	}
	settings := b.Dir + "/LocalSettings.php"
	if _, err := b.php(ctx, root+"/maintenance/install.php", "--dbtype", "sqlite", "--dbpath", b.Dir+"/data", "--dbname", "wiki",
		"--server", b.URL, "--scriptpath", "", "--lang", cmp.Or(b.opts.Language, "en"), "--confpath", b.Dir, "--pass", "Harbour-Lantern-7310", "Garden", "Keeper"); err != nil {
		return err
	}
	made, err := os.ReadFile(settings)
	if err != nil {
		return err
	}
	if err := b.write("LocalSettings.php", string(made)+b.mediawikiSettings(), 0o600); err != nil {
		return err
	}
	b.env = append(b.env, "MW_CONFIG_FILE="+settings)
	b.profile = func(name string) string {
		return b.URL + "/index.php/User:" + strings.ReplaceAll(url.PathEscape(wikiName(name)), "%20", "_")
	}
	query := b.count(fmt.Sprintf(`$db = new PDO('sqlite:' . %s);
$q = $db->prepare('SELECT COUNT(*) FROM user WHERE user_name = ?'); $q->execute([$argv[1]]); echo $q->fetchColumn();`, quotePHP(b.Dir+"/data/wiki.sqlite")))
	b.data = func(ctx context.Context, name string) (int, error) { return query(ctx, wikiName(name)) }
	return b.serve(ctx, root)
}

// wikiName is how MediaWiki writes a user's name: its first letter is upper case.
func wikiName(name string) string {
	name = strings.ReplaceAll(name, "_", " ")
	for i := range name {
		if i > 0 {
			return strings.ToUpper(name[:i]) + name[i:]
		}
	}
	return strings.ToUpper(name)
}

func (b *setup) mediawikiSettings() string {
	var s strings.Builder
	fmt.Fprintf(&s, `
$wgShowExceptionDetails = true;
// A transaction that reads before it writes fails at once when another one wrote meanwhile.
$wgDBservers = [ [ 'type' => 'sqlite', 'host' => '', 'dbname' => $wgDBname, 'user' => '', 'password' => '', 'tablePrefix' => '', 'load' => 1,
	'dbDirectory' => $wgSQLiteDataDir, 'trxMode' => 'IMMEDIATE', 'variables' => [ 'synchronous' => 'OFF' ], 'flags' => DBO_DEFAULT ] ];
$wgMainCacheType = CACHE_DB;
$wgSessionCacheType = CACHE_DB;
$wgCacheDirectory = %[1]s;
$wgUploadDirectory = %[2]s;
$wgTmpDirectory = %[3]s;
$wgEnableEmail = true;
$wgEnableUserEmail = true;
$wgEmailAuthentication = true;
$wgEmailConfirmToEdit = %[4]t;
$wgEmergencyContact = $wgPasswordSender = 'wiki@mediawiki.test';
$wgGroupPermissions['*']['edit'] = false;
$wgPingback = false;
$wgUseInstantCommons = false;
$wgSpecialVersionShowHooks = false;
`, quotePHP(b.Dir+"/cache"), quotePHP(b.Dir+"/images"), quotePHP(b.Dir), !b.opts.Unconfirmed)
	if b.opts.Captcha || b.opts.CaptchaLinks {
		fmt.Fprintf(&s, `
wfLoadExtensions([ 'ConfirmEdit', 'ConfirmEdit/QuestyCaptcha' ]);
$wgCaptchaClass = 'QuestyCaptcha';
$wgCaptchaQuestions = [ %s => %s ];
$wgCaptchaTriggers['createaccount'] = %t;
$wgCaptchaTriggers['addurl'] = %t;
$wgCaptchaTriggers['badlogin'] = false;
`, quotePHP(CaptchaQuestion), quotePHP(CaptchaAnswer), b.opts.Captcha, b.opts.CaptchaLinks)
	}
	return s.String()
}
