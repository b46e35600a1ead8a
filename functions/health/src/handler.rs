//! The health API behind API Gateway: routes and their responses.

use std::future::Future;

use chrono::Utc;
use db::SecretDb;
use db::queries::Overview;
use lambda::{Queue, Secrets, aws_config, error_chain};
use lambda_runtime::{Error, LambdaEvent};
use serde_json::{Value, json};
use tracing::{error, info};
use uuid::Uuid;

use crate::access::{Access, Refusal, header};
use crate::backlog::{WatchedQueue, backlogs};
use crate::config::HealthConfig;
use crate::indicators::health_json;
use crate::metrics::metrics;
use crate::page::{dashboard, unreachable};
use crate::response::{json_response, page, problem, prometheus, see_other, text};
use crate::status::status;
use i18n::language::Language;
use protocol::health::{EntityHealths, HealthStatus, assess, worst};
use protocol::indicator::Indicators;

const DASHBOARD: &str = "/api/v6/dashboard";
const ROUTES: &str = "/healthz, /api/v6/health, /api/v6/dashboard, /api/v6/status, /api/v6/runs, /api/v6/actions, /api/v6/metrics";

/// Error of a response that needs the database.
#[derive(Debug, thiserror::Error)]
enum HealthError {
    /// The database's address cannot be used.
    #[error("could not connect to the database")]
    Connect(#[from] db::ConnectError),
    /// A query failed.
    #[error("could not query the database")]
    Query(#[from] db::Error),
}

/// The health API with its connections.
#[derive(Debug)]
pub struct Health {
    config: HealthConfig,
    db: SecretDb,
    access: Access,
    queues: Vec<WatchedQueue>,
}

impl Health {
    /// Connects the health API that the environment describes.
    ///
    /// # Errors
    /// Names every setting that is missing or malformed.
    pub async fn from_env() -> Result<Self, Error> {
        let config = HealthConfig::from_lookup(&|name| std::env::var(name).ok())?;
        let aws = aws_config().await;
        let secrets = Secrets::new(&aws);
        let queue = |url: &String| Queue::new(&aws, url.clone());
        let watched = |(name, own, dead): &(&'static str, String, String)| WatchedQueue {
            name,
            queue: queue(own),
            dead: queue(dead),
        };
        let queues = config.queues.iter().map(watched).collect();
        let db = SecretDb::new(config.database.clone(), secrets.clone());
        let access = Access::new(config.health_secret_id.clone(), secrets);
        Ok(Self { config, db, access, queues })
    }

    /// Serves one request. Every failure is a response: an error of the function would say nothing to the reader.
    ///
    /// # Errors
    /// Never; the signature is that of a handler.
    pub async fn handle(&self, event: LambdaEvent<Value>) -> Result<Value, Error> {
        let request = event.payload;
        let method =
            request.pointer("/requestContext/http/method").and_then(Value::as_str).unwrap_or_default();
        let path = request.get("rawPath").and_then(Value::as_str).unwrap_or_default();
        let response = match (method, path) {
            ("", _) | (_, "") => problem(
                400,
                "bad_event",
                "`requestContext.http.method` and `rawPath` are missing; accepted: an HTTP API event, payload format 2.0",
            ),
            ("GET", "/healthz") => self.healthz().await,
            ("GET", "/api/v6/health") => self.authorized(&request, || self.health()).await,
            ("GET", DASHBOARD) => self.authorized(&request, || self.dashboard(&request)).await,
            ("GET", "/api/v6/status") => self.authorized(&request, || self.status(&request)).await,
            ("GET", "/api/v6/runs") => {
                self.authorized(&request, || self.overview_json(|overview| json!({ "runs": overview.runs })))
                    .await
            }
            ("GET", "/api/v6/actions") => {
                let actions = |overview: &Overview| {
                    json!({ "open": overview.actions_open, "quarantined": overview.quarantined,
                        "groups": overview.action_groups, "actions": overview.actions })
                };
                self.authorized(&request, || self.overview_json(actions)).await
            }
            ("GET", "/api/v6/metrics") => self.authorized(&request, || self.metrics()).await,
            (method, path) => match (method, resolved_action(path)) {
                ("POST", Some(id)) => self.resolve(&request, id).await,
                (_, Some(_)) => not_allowed("POST"),
                _ if ROUTES.split(", ").any(|route| route == path) => not_allowed("GET"),
                _ => problem(404, "not_found", &format!("accepted: {ROUTES}")),
            },
        };
        let status = response.get("statusCode").and_then(Value::as_u64);
        info!(http.method = method, http.status = status, "Request served");
        Ok(response)
    }

    async fn authorized<F: Future<Output = Value>>(
        &self,
        request: &Value,
        respond: impl FnOnce() -> F,
    ) -> Value {
        match self.access.check(request).await {
            Ok(_) => respond().await,
            Err(refusal) => refused(refusal),
        }
    }

    async fn health(&self) -> Value {
        match Box::pin(self.facts_and_indicators()).await {
            Ok((health, indicators)) => {
                let status = if worst(&health) == HealthStatus::Unhealthy { 503 } else { 200 };
                json_response(status, &health_json(&health, &indicators))
            }
            Err(error) => no_database(&error),
        }
    }

    async fn healthz(&self) -> Value {
        let status = self.facts().await.map_or(HealthStatus::Unhealthy, |health| worst(&health));
        let code = if status == HealthStatus::Unhealthy { 503 } else { 200 };
        json_response(code, &json!({ "status": status.as_str() }))
    }

    async fn dashboard(&self, request: &Value) -> Value {
        let language = Language::preferred(header(request, "accept-language").unwrap_or_default());
        let interval = self.config.sync_interval_seconds;
        match tokio::join!(self.overview(), backlogs(&self.queues)) {
            (Ok(overview), backlog) => {
                page(200, &dashboard(&overview, &backlog, language, Utc::now(), interval))
            }
            (Err(error), backlog) => {
                error!("The database gives no answer: {}", error_chain(&error));
                page(503, &unreachable(&backlog, language, Utc::now()))
            }
        }
    }

    async fn status(&self, request: &Value) -> Value {
        let language = Language::preferred(header(request, "accept-language").unwrap_or_default());
        let (overview, backlog) = tokio::join!(self.overview(), backlogs(&self.queues));
        let overview =
            overview.inspect_err(|error| error!("The database gives no answer: {}", error_chain(error))).ok();
        let interval = self.config.sync_interval_seconds;
        let body = status(overview.as_ref(), &backlog, language, Utc::now(), interval);
        text(if overview.is_some() { 200 } else { 503 }, &body)
    }

    async fn overview_json(&self, read: impl FnOnce(&Overview) -> Value) -> Value {
        match self.overview().await {
            Ok(overview) => json_response(200, &read(&overview)),
            Err(error) => no_database(&error),
        }
    }

    async fn metrics(&self) -> Value {
        match self.overview().await {
            Ok(overview) => {
                let backlog = backlogs(&self.queues).await;
                prometheus(&metrics(&overview, &backlog, Utc::now(), self.config.sync_interval_seconds))
            }
            Err(error) => no_database(&error),
        }
    }

    async fn resolve(&self, request: &Value, id: Uuid) -> Value {
        let person = match self.access.check_change(request).await {
            Ok(person) => person,
            Err(refusal) => return refused(refusal),
        };
        let resolved = async {
            let db = self.db.get().await?;
            Ok::<_, HealthError>(db::actions::resolve_action(db, id, &person).await?)
        };
        match resolved.await {
            // An action that is closed already is in the state that the reader asks for.
            Ok(_) => see_other(DASHBOARD),
            Err(error) => no_database(&error),
        }
    }

    async fn facts(&self) -> Result<EntityHealths, HealthError> {
        let facts = db::queries::entity_facts(self.db.get().await?).await?;
        Ok(assess(&facts, Utc::now(), self.config.sync_interval_seconds))
    }

    async fn facts_and_indicators(&self) -> Result<(EntityHealths, Indicators), HealthError> {
        let facts = self.facts().await?;
        Ok((facts, db::queries::indicators(self.db.get().await?).await?))
    }

    async fn overview(&self) -> Result<Overview, HealthError> {
        Ok(db::queries::overview(self.db.get().await?).await?)
    }
}

/// Returns the id in `/api/v6/actions/{id}/resolve`.
fn resolved_action(path: &str) -> Option<Uuid> {
    path.strip_prefix("/api/v6/actions/")?.strip_suffix("/resolve")?.parse().ok()
}

fn not_allowed(accepted: &str) -> Value {
    let mut response = problem(405, "method_not_allowed", &format!("accepted: {accepted}"));
    response["headers"]["allow"] = json!(accepted);
    response
}

fn no_database(failed: &HealthError) -> Value {
    error!("The database gives no answer: {}", error_chain(failed));
    problem(
        503,
        "database_unreachable",
        "the database gives no answer; the pipeline keeps every record until it does",
    )
}

fn refused(refusal: Refusal) -> Value {
    let mut response = match refusal {
        Refusal::NoToken => problem(
            401,
            "unauthorised",
            "accepted: the header Authorization: Bearer <token>, or Basic with the token as the password",
        ),
        Refusal::WrongToken => problem(401, "unauthorised", "the token is not accepted"),
        Refusal::ForeignSite => {
            return problem(403, "foreign_site", "accepted: a request of the dashboard itself");
        }
        Refusal::Unknown => return problem(503, "secret_unreachable", "the token cannot be checked now"),
    };
    // Makes a browser ask for name and password. Basic alone: with a second scheme beside it Chromium does not ask.
    response["headers"]["www-authenticate"] = json!(r#"Basic realm="Assistant Gazelle", charset="UTF-8""#);
    response
}
