//! Real PgBouncer with TLS in front of the test database, as Supabase has a pooler.

use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, fs};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions};
use tokio::time::{Instant, sleep};

use crate::mirror::APP_ROLE;

/// User that PgBouncer runs as: it refuses root.
const NOBODY: u32 = 65534;

/// Running PgBouncer; dropped values stop it.
#[derive(Debug)]
pub struct Pooler {
    process: Child,
    folder: PathBuf,
    /// Certificate authority of its certificate, as PEM.
    pub authority: String,
    /// Login with the functions' privileges.
    pub login: String,
    password: String,
    port: u16,
    database: String,
}

impl Pooler {
    /// Starts a pooler in front of the database. `mode` is `session` or `transaction`; `servers` is the number of
    /// server connections that all clients share; `name` is the host name in its certificate.
    ///
    /// # Panics
    /// PgBouncer is not installed; `make test` installs it.
    pub async fn start(options: &PgConnectOptions, mode: &str, servers: u32, name: &str) -> Self {
        let database = options.get_database().expect("a database").to_owned();
        let folder = env::temp_dir().join(format!("pooler-{database}-{mode}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("rights");
        let (login, password) = (format!("{database}_{mode}"), "pooled-1".to_owned());
        make_login(options, &login, &password).await;
        let authority = certify(&folder, name);
        let port =
            TcpListener::bind(("127.0.0.1", 0)).expect("a port").local_addr().expect("an address").port();
        let at = |file: &str| folder.join(file).display().to_string();
        let settings = format!(
            "[databases]\n* = host={} port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = plain\nauth_file = {}\npool_mode = {mode}\n\
             default_pool_size = {servers}\nmax_client_conn = 500\nignore_startup_parameters = extra_float_digits\n\
             client_tls_sslmode = require\nclient_tls_key_file = {}\nclient_tls_cert_file = {}\n",
            options.get_host(),
            options.get_port(),
            at("users.txt"),
            at("key.pem"),
            at("certificate.pem"),
        );
        write(&folder, "users.txt", &format!("\"{login}\" \"{password}\"\n"));
        write(&folder, "pgbouncer.ini", &settings);
        let mut command = Command::new(program());
        command.arg(at("pgbouncer.ini")).stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(fs::File::create(folder.join("log")).expect("a log"));
        if is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        let process = command.spawn().expect("PgBouncer");
        let pooler = Self { process, folder, authority, login, password, port, database };
        pooler.wait().await;
        pooler
    }

    /// Returns the database URL under this host name.
    #[must_use]
    pub fn url(&self, host: &str) -> String {
        let Self { login, password, port, database, .. } = self;
        format!("postgres://{login}:{password}@{host}:{port}/{database}")
    }

    async fn wait(&self) {
        let end = Instant::now() + Duration::from_secs(20);
        while tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
            let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            assert!(Instant::now() < end, "PgBouncer does not answer: {log}");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        // One that is gone already is as ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Returns the program of `PGBOUNCER`, or the one below `.local`.
fn program() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.local/tools/pgbouncer/pgbouncer");
    env::var_os("PGBOUNCER").map_or(own, PathBuf::from)
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

/// Creates a login for this test alone: roles are shared by all databases, and tests run in parallel.
async fn make_login(options: &PgConnectOptions, login: &str, password: &str) {
    let mut connection = options.connect().await.expect("a connection");
    sqlx::raw_sql(AssertSqlSafe(format!(
        "drop role if exists \"{login}\"; create role \"{login}\" login password '{password}' in role {APP_ROLE}"
    )))
    .execute(&mut connection)
    .await
    .expect("a login");
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::write(&path, text).expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("rights");
    if is_root() {
        chown(&path, Some(NOBODY), Some(NOBODY)).expect("an owner");
    }
}

/// Writes a key and a certificate for this name; returns the authority that signed it.
fn certify(folder: &Path, name: &str) -> String {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "Authority of a test");
    let authority =
        CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let own = CertificateParams::new([name.to_owned()]).expect("a name");
    let certificate = own.signed_by(&key, &authority).expect("a certificate");
    write(folder, "key.pem", &key.serialize_pem());
    write(folder, "certificate.pem", &certificate.pem());
    authority.pem()
}
