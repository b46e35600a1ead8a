//! Setup of an installation with the compiled `gazelle-admin`, and rotation of its secrets.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use aws_sdk_secretsmanager::Client as SecretsClient;
use db::{DatabaseSettings, PoolMode, SecretDb};
use lambda::Secrets;
use pipeline_tests::mirror::rows;
use pipeline_tests::stack::variable;
use serde_json::{Value, json};

use crate::deployed::turn;

/// Returns the compiled command beside this test's binary.
fn command(words: &[&str]) -> Command {
    let own = std::env::current_exe().expect("a path");
    let folder = own.ancestors().find(|folder| folder.join("gazelle-admin").exists()).map(PathBuf::from);
    let mut command = Command::new(folder.expect("gazelle-admin is built").join("gazelle-admin"));
    command
        .args(words)
        .env("GAZELLE_SECRET_ID", variable("GAZELLE_SECRET"))
        .env("DATABASE_SECRET_ID", variable("DATABASE_SECRET"))
        .env("HEALTH_SECRET_ID", variable("HEALTH_SECRET"))
        .env("ALERTS_SECRET_ID", variable("ALERTS_SECRET"))
        .stdin(Stdio::null());
    command
}

/// Runs the command; returns its success and its whole output.
fn run(command: &mut Command) -> (bool, String) {
    let output = command.output().expect("a command");
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    (output.status.success(), said.concat())
}

async fn secrets() -> SecretsClient {
    SecretsClient::new(&lambda::aws_config().await)
}

async fn stored(id: &str) -> Option<Value> {
    let answer = secrets().await.get_secret_value().secret_id(id).send().await.ok()?;
    serde_json::from_str(answer.secret_string()?).ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn api_key_is_stored_only_if_gazelle_accepts_it() {
    let (_turn, _stack) = turn().await;
    let (wrong, right) = ("first-day/wrong", "first-day/right");
    let words = |id| ["authorise", "--api-key", "--secret-id", id];
    let (is_done, said) = run(command(&words(wrong)).env("GAZELLE_API_KEY", "planted-key"));
    assert!(!is_done && said.contains("401") && !said.contains("planted-key"), "{said}");
    assert_eq!(stored(wrong).await, None);
    let (is_done, said) = run(&mut command(&words(right)));
    assert!(is_done && said.contains("ADMIN") && !said.contains(&variable("GAZELLE_API_KEY")), "{said}");
    assert_eq!(stored(right).await, Some(json!({ "api_key": variable("GAZELLE_API_KEY") })));
}

#[tokio::test(flavor = "multi_thread")]
async fn oauth_tokens_are_stored_after_consent() {
    let (_turn, _stack) = turn().await;
    let id = "first-day/tokens";
    let mut child = command(&["authorise", "--secret-id", id, "--port", "0"])
        .env("GAZELLE_CLIENT_ID", "sim-client")
        .env("GAZELLE_CLIENT_SECRET", "sim-secret")
        .stderr(Stdio::piped())
        .spawn()
        .expect("a command");
    let mut said = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut line = String::new();
    while !line.contains("/developer/oauth/authorize?") {
        line.clear();
        assert!(said.read_line(&mut line).expect("a line") > 0, "it ended early");
    }
    let page = line.trim().to_owned();
    // What somebody else sends there is turned away, and the command goes on waiting.
    let callback =
        page.split("redirect_uri=").nth(1).and_then(|rest| rest.split('&').next()).expect("an address");
    let callback = callback.replace("%3A", ":").replace("%2F", "/");
    let browser = reqwest::Client::builder().no_proxy().build().expect("a browser");
    for query in ["?code=stolen&state=guessed", "?code=stolen", ""] {
        let answer = browser.get(format!("{callback}{query}")).send().await.expect("an answer");
        assert!(answer.text().await.expect("a page").contains("recommencez"), "{query}");
    }
    let thanks = browser.get(&page).send().await.expect("an answer").text().await.expect("a page");
    assert!(thanks.contains("Merci"), "{thanks}");
    let mut rest = String::new();
    said.read_to_string(&mut rest).expect("its last words");
    assert!(child.wait().expect("an end").success(), "{rest}");
    let tokens = stored(id).await.expect("tokens");
    for field in ["client_id", "client_secret", "access_token", "refresh_token", "expires_at"] {
        let value = tokens[field].as_str().unwrap_or_else(|| panic!("{field}: {tokens}"));
        assert!(!rest.contains(value) || field == "client_id", "{field} is never shown");
    }
    let (is_well, said) = run(command(&["doctor"]).env("GAZELLE_AUTH", "oauth").env("GAZELLE_SECRET_ID", id));
    assert!(is_well && said.contains("✓ Gazelle : répond, l'utilisateur est ADMIN"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_finds_each_planted_fault_and_no_other() {
    let (_turn, stack) = turn().await;
    let (is_well, said) = run(&mut command(&["doctor"]));
    assert!(is_well && said.contains("0 à corriger, 0 non vérifié"), "{said}");
    for entity in model::entity::ALL {
        assert!(said.contains(&format!("✓ requêtes « {} »", entity.name)), "{said}");
    }
    let put = async |id: &str, value: Value| {
        let client = secrets().await;
        let made = client.create_secret().name(id).secret_string(value.to_string()).send().await;
        if made.is_err() {
            client
                .put_secret_value()
                .secret_id(id)
                .secret_string(value.to_string())
                .send()
                .await
                .expect("a secret");
        }
    };
    put(
        "first-day/refused",
        json!({"url": variable("DATABASE_APP_URL").replace("gazelle_app:", "gazelle_app:planted")}),
    )
    .await;
    put("first-day/powerful", json!({"url": variable("DATABASE_URL")})).await;
    put("first-day/plain", json!({"url": "postgres://a:planted@db.example.org/x?sslmode=disable"})).await;
    put("first-day/empty", json!({})).await;
    put("first-day/key", json!({"api_key": "planted"})).await;
    for (name, value, found, advice) in [
        ("DATABASE_SECRET_ID", "first-day/refused", "✗ base de données", "le mot de passe"),
        (
            "DATABASE_SECRET_ID",
            "first-day/powerful",
            "✗ rôle : postgres peut tout",
            "gazelle-admin login app",
        ),
        (
            "DATABASE_SECRET_ID",
            "first-day/plain",
            "sslmode=disable is accepted for loopback hosts only",
            "gazelle-admin login app",
        ),
        ("DATABASE_SECRET_ID", "first-day/none", "✗ base de données", "gazelle-admin login app"),
        ("DATABASE_SCHEMA", "elsewhere", "✗ migrations : aucune", "gazelle-admin migrate"),
        ("GAZELLE_SECRET_ID", "first-day/key", "✗ Gazelle", "gazelle-admin authorise"),
        ("HEALTH_SECRET_ID", "first-day/empty", "✗ first-day/empty", "champ `token`"),
        ("ALERTS_SECRET_ID", "first-day/none", "✗ first-day/none", "créez le secret"),
        ("RAW_BUCKET", "no-such-bucket", "✗ bucket brut", "le nom du bucket"),
        ("FETCH_QUEUE_URL", "http://127.0.0.1:4566/000000000000/none", "✗ file", "vérifiez l'adresse"),
    ] {
        let (is_well, said) = run(command(&["doctor"]).env(name, value));
        assert!(!is_well && said.contains(found) && said.contains(advice), "{name}={value}: {said}");
        assert!(!said.contains("planted"), "no secret: {said}");
    }
    let (is_well, said) = run(command(&["doctor"]).env("ALERTS_SECRET_ID", "first-day/empty"));
    assert!(
        is_well && said.contains("– first-day/empty : non vérifié, il ne contient pas d'adresse de Slack"),
        "{said}"
    );
    let mut connection = stack.connection().await;
    sqlx::raw_sql("grant select on users to public").execute(&mut connection).await.expect("a grant");
    let (is_well, said) = run(&mut command(&["doctor"]));
    sqlx::raw_sql("revoke select on users from public").execute(&mut connection).await.expect("a revocation");
    assert!(
        !is_well && said.contains("open to everybody") && said.contains("gazelle-admin migrate"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn new_health_token_works_within_seconds() {
    let (_turn, stack) = turn().await;
    let (client, id) = (secrets().await, variable("HEALTH_SECRET"));
    let put = async |token: &str| {
        let text = json!({ "token": token }).to_string();
        client.put_secret_value().secret_id(&id).secret_string(text).send().await.expect("a secret");
    };
    let is_open = async |token: &str| stack.health("/api/v6/runs", Some(token)).await.0 == 200;
    assert!(is_open(&variable("HEALTH_TOKEN")).await, "the old one is known");
    put("a-new-token").await;
    let mut seconds = 0;
    while !is_open("a-new-token").await {
        seconds += 1;
        assert!(seconds <= 10, "the new one is not obeyed");
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    put(&variable("HEALTH_TOKEN")).await;
    while !is_open(&variable("HEALTH_TOKEN")).await {
        seconds += 1;
        assert!(seconds <= 20, "the old one is not obeyed again");
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn new_database_password_needs_no_deployment() {
    let (_turn, stack) = turn().await;
    // Warm functions that hold the old password.
    stack.sync(&json!({"entity": "users"})).await;
    let before = stored(&variable("DATABASE_SECRET")).await.expect("a secret");
    let (is_done, said) = run(&mut command(&["login", "app", "--secret-id", &variable("DATABASE_SECRET")]));
    let after = stored(&variable("DATABASE_SECRET")).await.expect("a secret");
    let password = after["url"].as_str().and_then(|url| url.split(['@', ':']).nth(2)).expect("a password");
    assert!(is_done && !said.contains(password) && before != after, "{said}");
    // Whoever comes back must log in anew.
    let ended =
        "select count(pg_terminate_backend(pid)) as n from pg_stat_activity where usename = 'gazelle_app'";
    assert!(
        rows(&mut stack.connection().await, ended).await[0]["n"].as_u64() >= Some(1),
        "there were sessions"
    );
    let began = chrono::Utc::now().to_rfc3339();
    stack.sync(&json!({"entity": "clients"})).await;
    let (_, health) = stack.health("/api/v6/health", Some(&variable("HEALTH_TOKEN"))).await;
    assert_eq!(health["clients"]["status"], "healthy", "{health}");
    let sql =
        format!("select status, count(*) as n from sync_status where started_at >= '{began}' group by 1");
    assert_eq!(rows(&mut stack.connection().await, &sql).await, [json!({"status": "success", "n": 1})]);
    let old = before["url"].as_str().unwrap_or_default().to_owned();
    let refused = db::DatabaseConfig::new(&old, "gazelle", db::PoolMode::Direct).expect("an address");
    assert!(refused.connect().await.is_err(), "the old password is void");
}

#[tokio::test(flavor = "multi_thread")]
async fn moved_database_is_found_by_running_processes() {
    let (_turn, _stack) = turn().await;
    let secrets = Secrets::new(&lambda::aws_config().await);
    let id = "first-day/moved";
    let right = stored(&variable("DATABASE_SECRET")).await.expect("a secret")["url"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let (server, rest) = right.rsplit_once(':').expect("a port");
    let wrong = [
        ("nobody listens", format!("{server}:1{}", rest.trim_start_matches(|c: char| c.is_ascii_digit()))),
        ("no such database", right.replace(rest, &rest.replace('/', "/no_such_"))),
        ("no such role", right.replace("gazelle_app", "nobody")),
    ];
    for (what, wrong) in wrong {
        let settings = DatabaseSettings::new(id.to_owned(), "gazelle".to_owned(), PoolMode::Session);
        let db = SecretDb::new(settings, secrets.clone());
        for (url, is_served) in [(&wrong, false), (&right, true)] {
            let text = json!({ "url": url }).to_string();
            secrets.store(id, &text.into()).await.expect("a secret");
            let begun = db.get().await.expect("an address").begin().await;
            assert_eq!(begun.is_ok(), is_served, "{what}: {:?}", begun.err());
        }
    }
}
