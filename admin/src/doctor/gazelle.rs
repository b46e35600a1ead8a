//! Checks of the Gazelle API: credentials, access level, and every query against the live schema.

use std::error::Error as _;
use std::sync::Arc;

use chrono::Utc;
use gazelle_client::{
    ApiError, AttemptError, Authentication, AwsTokenStore, Credentials, Gazelle, GazelleConfig, PageRequest,
    TokenStore,
};
use i18n::terminal::doctor as text;
use lambda::{Secrets, error_chain};
use model::entity::{self, Entity};
use model::window::Window;
use object_store::{MemoryObjectStore, ObjectStore};

use crate::authorise::{FULL_ACCESS, fetch_access_level};
use crate::doctor::report::{CheckOutcome, CheckReport};
use crate::error::AdminError;

/// Id that no record of Gazelle has.
const UNKNOWN_ID: &str = "doctor";

/// Checks the access to Gazelle, then the queries of every entity.
pub(super) async fn check(
    report: &mut CheckReport,
    gazelle: &GazelleConfig,
    secret_id: &str,
    secrets: &Secrets,
    bucket: Option<Arc<ObjectStore>>,
) {
    let states = match (bucket, gazelle.authentication) {
        (Some(bucket), _) => bucket,
        (None, Authentication::ApiKey) => Arc::new(ObjectStore::Memory(MemoryObjectStore::default())),
        // Without the lease in the bucket, the doctor could refresh a token at the same time as the fetcher.
        (None, Authentication::OAuth) => {
            let reason = text::NEEDS_BUCKET_FOR_TOKENS.to_owned();
            return report.add(text::GAZELLE, CheckOutcome::Skipped(reason));
        }
    };
    let store = TokenStore::Aws(AwsTokenStore { secrets: secrets.clone(), secret_id: secret_id.to_owned() });
    let credentials =
        Credentials::new(gazelle.authentication, store, gazelle.token_url.clone(), Arc::clone(&states));
    let api = match Gazelle::new(gazelle, credentials, states) {
        Ok(api) => api,
        Err(error) => {
            let outcome = CheckOutcome::error(text::NO_HTTP_CLIENT, &error, text::REPORT_MESSAGE);
            return report.add(text::GAZELLE, outcome);
        }
    };
    match Box::pin(fetch_access_level(&api)).await {
        Ok(level) if level == FULL_ACCESS => {
            report.add(text::GAZELLE, CheckOutcome::Passed(text::full_access(&level)));
        }
        Ok(level) => {
            let advice = text::authorise_with(FULL_ACCESS);
            report.add(text::GAZELLE, CheckOutcome::failed(text::partial_access(&level), advice));
        }
        Err(error) => return report.add(text::GAZELLE, no_access_level(&error)),
    }
    for entity in entity::ALL {
        let outcome = Box::pin(check_queries(&api, entity)).await;
        report.add(&text::queries(entity.name), outcome);
    }
}

/// Returns the outcome for a missing access level: the causes alone, because the error's own text is French.
fn no_access_level(error: &AdminError) -> CheckOutcome {
    CheckOutcome::Failed {
        finding: text::NO_RESPONSE.to_owned(),
        causes: error.source().map(error_chain).into_iter().collect(),
        advice: text::AUTHORISE.to_owned(),
    }
}

/// Sends the entity's own documents: the first record, and a lookup of an id that no record has.
async fn check_queries(api: &Gazelle, entity: &Entity) -> CheckOutcome {
    let mut accepted = 0;
    if let Some(query) = entity.query() {
        let bounds = entity.time_filter().zip(Window::since(Utc::now(), 1));
        let bounds = bounds.map(|(filter, window)| filter.variables(window)).unwrap_or_default();
        if let Err(error) =
            api.fetch_page(&query.document(), PageRequest { bounds, ..PageRequest::default() }).await
        {
            return refused_query(&error);
        }
        accepted += 1;
    }
    if let Some(document) = entity.lookup_document(1) {
        match api.look_up(&document, &[UNKNOWN_ID.to_owned()], Some(1)).await {
            // No such record is the expected response. The entities differ in how Gazelle says so.
            Ok(_) | Err(ApiError::Exhausted { last: Some(AttemptError::NoData(_)), .. }) => accepted += 1,
            Err(error) => return refused_query(&error),
        }
    }
    CheckOutcome::Passed(text::queries_accepted(accepted))
}

fn refused_query(error: &ApiError) -> CheckOutcome {
    let (finding, advice) = match error {
        ApiError::Schema { .. } => (text::QUERY_REFUSED, text::UPDATE_PROJECT),
        _ => (text::NO_RESPONSE, text::TRY_AGAIN),
    };
    CheckOutcome::error(finding, error, advice)
}
