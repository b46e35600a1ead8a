//! The health API behind API Gateway: routes, the token, the answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use lambda_runtime::{Error, LambdaEvent};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use shared_db::SecretDb;
use shared_runtime::{Secrets, aws_config};
use subtle::ConstantTimeEq;
use tokio::sync::Mutex;
use tracing::{error, info};

use crate::config::HealthConfig;
use crate::report::{Status, health, worst};

/// A rotated token is obeyed after this time at the latest.
const TOKEN_KEPT: Duration = Duration::from_mins(5);

/// The health API with its connections.
#[derive(Debug)]
pub struct Health {
    config: HealthConfig,
    db: SecretDb,
    secrets: Secrets,
    token: Mutex<Option<(Arc<SecretString>, Instant)>>,
}

impl Health {
    /// The health API that the environment describes.
    ///
    /// # Errors
    /// Names every setting that is missing or malformed.
    pub async fn from_env() -> Result<Self, Error> {
        let config = HealthConfig::from_lookup(&|name| std::env::var(name).ok())?;
        let secrets = Secrets::new(&aws_config().await);
        let db = SecretDb::new(config.database.clone(), secrets.clone());
        Ok(Self { config, db, secrets, token: Mutex::new(None) })
    }

    /// Answers one request. Whatever happens is an answer: an error of the function would tell nothing.
    ///
    /// # Errors
    /// None.
    pub async fn handle(&self, event: LambdaEvent<Value>) -> Result<Value, Error> {
        let request = event.payload;
        let method =
            request.pointer("/requestContext/http/method").and_then(Value::as_str).unwrap_or_default();
        let path = request.get("rawPath").and_then(Value::as_str).unwrap_or_default();
        let answer = match (method, path) {
            ("GET", "/healthz") => self.word().await,
            ("GET", "/api/v6/health") => match self.authorise(&request).await {
                Ok(()) => self.report().await,
                Err(refusal) => refusal,
            },
            (_, "/healthz" | "/api/v6/health") => problem(405, "method_not_allowed", "accepted: GET"),
            ("", _) | (_, "") => problem(
                400,
                "bad_event",
                "`requestContext.http.method` and `rawPath` are missing; accepted: an HTTP API event, payload format 2.0",
            ),
            _ => problem(404, "not_found", "accepted: /healthz, /api/v6/health"),
        };
        let status = answer.get("statusCode").and_then(Value::as_u64);
        info!(http.method = method, http.status = status, "Answered");
        Ok(answer)
    }

    async fn report(&self) -> Value {
        match self.facts().await {
            Ok(health) => {
                let status = if worst(&health) == Status::Unhealthy { 503 } else { 200 };
                answer(status, &json!(health))
            }
            Err(reason) => {
                error!("The database gives no answer: {reason}");
                problem(
                    503,
                    "database_unreachable",
                    "the database gives no answer; the pipeline keeps every record until it does",
                )
            }
        }
    }

    async fn word(&self) -> Value {
        let status = self.facts().await.map_or(Status::Unhealthy, |health| worst(&health));
        let code = if status == Status::Unhealthy { 503 } else { 200 };
        answer(code, &json!({ "status": status.as_str() }))
    }

    async fn facts(
        &self,
    ) -> Result<std::collections::BTreeMap<&'static str, crate::report::EntityHealth>, String> {
        let db = self.db.get().await.map_err(|error| error.to_string())?;
        let facts = shared_db::entity_reports(db).await.map_err(|error| error.to_string())?;
        Ok(health(&facts, Utc::now(), self.config.sync_interval_seconds))
    }

    /// Compares the reader's token with ours, in a time that tells nothing about either.
    async fn authorise(&self, request: &Value) -> Result<(), Value> {
        let shown = request
            .get("headers")
            .and_then(Value::as_object)
            .and_then(|headers| headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("authorization")))
            .and_then(|(_, value)| value.as_str())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim());
        let Some(shown) = shown else {
            return Err(problem(401, "unauthorised", "accepted: the header Authorization: Bearer <token>"));
        };
        let token = self.token().await.map_err(|reason| {
            error!("The token cannot be checked: {reason}");
            problem(503, "secret_unreachable", "the token cannot be checked now")
        })?;
        if bool::from(token.expose_secret().as_bytes().ct_eq(shown.as_bytes())) {
            Ok(())
        } else {
            Err(problem(401, "unauthorised", "the token is not accepted"))
        }
    }

    async fn token(&self) -> Result<Arc<SecretString>, String> {
        let mut kept = self.token.lock().await;
        if let Some((token, read_at)) = kept.as_ref()
            && read_at.elapsed() < TOKEN_KEPT
        {
            return Ok(Arc::clone(token));
        }
        let id = &self.config.health_secret_id;
        let token = self
            .secrets
            .read_text(id, "token", r#"{"token": "…"}"#)
            .await
            .map_err(|error| error.to_string())?;
        let token = Arc::new(token);
        *kept = Some((Arc::clone(&token), Instant::now()));
        Ok(token)
    }
}

fn problem(status: u16, code: &str, detail: &str) -> Value {
    answer(status, &json!({ "error": code, "detail": detail }))
}

fn answer(status: u16, body: &Value) -> Value {
    let mut answer = json!({
        "statusCode": status,
        "headers": {
            "content-type": "application/json; charset=utf-8",
            "cache-control": "no-store",
            "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
            "strict-transport-security": "max-age=31536000",
            "x-content-type-options": "nosniff",
        },
        "body": body.to_string(),
        "isBase64Encoded": false,
    });
    if status == 401 {
        answer["headers"]["www-authenticate"] = json!("Bearer");
    }
    answer
}
