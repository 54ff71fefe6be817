//! Every operation and its handler: one table. The paths stand in the contract.

use axum::Router;
use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::routing::{MethodFilter, on};
use openpod_sdk::api::agents::ListAgents;
use openpod_sdk::api::applications::*;
use openpod_sdk::api::github::*;
use openpod_sdk::api::health::GetHealth;
use openpod_sdk::api::heartbeat::GetHeartbeat;
use openpod_sdk::api::keys::*;
use openpod_sdk::api::knowledge::*;
use openpod_sdk::api::me::*;
use openpod_sdk::api::messages::*;
use openpod_sdk::api::owner::*;
use openpod_sdk::api::positions::*;
use openpod_sdk::api::projects::*;
use openpod_sdk::api::register::RegisterAgent;
use openpod_sdk::api::tickets::*;
use openpod_sdk::api::webhooks::*;
use openpod_sdk::api::{Endpoint, ErrorCode};

use crate::app::App;
use crate::endpoints::{
    agents, applications, github, health, heartbeat, keys, knowledge, me, messages, positions, projects,
    register, tickets, webhooks,
};
use crate::http::{ApiError, Call, PublicCall, admission, request_log};
use crate::{openapi, owner};

/// The whole service.
pub fn router(app: App) -> Router {
    let Table(router) = owners(agents(Table(Router::new())));
    router
        .route(openapi::DOCUMENT_PATH, openapi::document_route())
        .route(openapi::PAGE_PATH, openapi::page_route())
        .route(openapi::STYLE_PATH, openapi::style_route())
        .fallback(|| async { ApiError::new(ErrorCode::NotFound, "there is no such address here") })
        .method_not_allowed_fallback(|| async {
            ApiError::new(ErrorCode::MethodNotAllowed, "this address does not take that method; see Allow")
        })
        .layer(request_log::carry(app.clone()))
        .with_state(app)
}

/// `/api/agent/v1`, in the order of the reference, then the extensions.
fn agents(table: Table) -> Table {
    table
        .serve_public(RegisterAgent, register::register)
        .serve(GetHeartbeat, heartbeat::get)
        .serve_public(ListAgents, agents::list)
        .serve(ListProjects, projects::list)
        .serve(CreateProject, projects::create)
        .serve(ListPositions, positions::list)
        .serve(ApplyToPosition, applications::apply)
        .serve(ListTickets, tickets::list)
        .serve(CreateTicket, tickets::create)
        .serve(GetTicket, tickets::get)
        .serve(UpdateTicket, tickets::update)
        .serve(ApproveTicket, tickets::approve)
        .serve(AddComment, tickets::comment)
        .serve(ListMessages, messages::list)
        .serve(SendMessage, messages::send)
        .serve(SearchKnowledge, knowledge::search)
        .serve(CreateKnowledge, knowledge::create)
        .serve(ListWebhooks, webhooks::list)
        .serve(CreateWebhook, webhooks::create)
        .serve(DeleteWebhook, webhooks::delete)
        .serve(GetGithubToken, github::token)
        .serve(ListPullRequests, github::pull_requests)
        .serve(VerifyDeliverable, github::verify)
        .serve_public(GetHealth, health::get)
        .serve(GetMe, me::get)
        .serve(GetBalance, me::balance)
        .serve(ListTransactions, me::transactions)
        .serve(ListKeys, keys::list)
        .serve(CreateKey, keys::create)
        .serve(RotateKey, keys::rotate)
        .serve(RevokeKey, keys::revoke)
        .serve(ListApplications, applications::list)
        .serve(DecideApplication, applications::decide)
        .serve(CreatePosition, positions::create)
        .serve(ListDeliveries, webhooks::deliveries)
        .serve(TestWebhook, webhooks::test)
        .serve(ReplayDeliveries, webhooks::replay)
        .serve(RotateWebhookSecret, webhooks::rotate)
        .serve(EnableWebhook, webhooks::enable)
}

/// `/api/owner/v1`.
fn owners(table: Table) -> Table {
    table
        .serve(GetOwner, owner::profile)
        .serve(ListOwnerProjects, owner::list_projects)
        .serve(OwnerCreateProject, projects::create)
        .serve(GetOwnerProject, owner::get_project)
        .serve(OwnerCreatePosition, positions::create)
        .serve(ListOwnerApplications, owner::list_applications)
        .serve(OwnerDecideApplication, applications::decide)
        .serve(OwnerListTickets, tickets::list)
        .serve(OwnerCreateTicket, tickets::create)
        .serve(OwnerGetTicket, tickets::get)
        .serve(OwnerUpdateTicket, tickets::update)
        .serve(OwnerApproveTicket, tickets::approve)
        .serve(OwnerAddComment, tickets::comment)
        .serve(ListLedger, owner::list_ledger)
        .serve(ListAudit, owner::list_audit)
        .serve(ListOwnerKeys, keys::list)
        .serve(CreateOwnerKey, keys::create)
        .serve(RotateOwnerKey, keys::rotate)
        .serve(RevokeOwnerKey, keys::revoke)
        .serve(OwnerListWebhooks, owner::list_webhooks)
        .serve(OwnerListDeliveries, webhooks::deliveries)
        .serve(OwnerTestWebhook, webhooks::test)
        .serve(OwnerReplayDeliveries, webhooks::replay)
        .serve(OwnerEnableWebhook, webhooks::enable)
}

/// The table under construction.
struct Table(Router<App>);

impl Table {
    /// Answers an operation with a handler that takes its [`Call`], behind admission.
    fn serve<E: Endpoint, M: 'static>(
        self,
        _: E,
        handler: impl Handler<(M, State<App>, Call<E>), App>,
    ) -> Self {
        self.route::<E, _>(handler)
    }

    /// The same for an operation that needs no key.
    fn serve_public<E: Endpoint, M: 'static>(
        self,
        _: E,
        handler: impl Handler<(M, State<App>, PublicCall<E>), App>,
    ) -> Self {
        self.route::<E, _>(handler)
    }

    fn route<E: Endpoint, T: 'static>(self, handler: impl Handler<T, App>) -> Self {
        let method = MethodFilter::try_from(E::METHOD).expect("the contract uses standard methods only");
        let path = format!("{}{}", E::ACCESS.base_path(), E::PATH);
        let admitted =
            move |State(app): State<App>, request: Request| admission::admit::<E, T>(app, request, handler);
        Self(self.0.route(&path, on(method, admitted)))
    }
}
