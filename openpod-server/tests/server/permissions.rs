//! Who may do what: every operation of the contract against everybody who might call it, in one table.

mod scene;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use http::Method;
use openpod_sdk::api::{ENDPOINTS, EXTENSIONS, Idempotency, Operation, Scope, owner};

use scene::Scene;

/// Those who call, in the order of the table's columns. `owner agent` owns a project of its own, and calls within that;
/// everybody else calls within the project of `owner human`. Keys that do not work, and the narrow one, are the PM's,
/// on the owner surface the owner's. On the owner surface the stranger is another owner.
const CALLERS: [&str; 11] = [
    "no key",
    "stranger",
    "worker",
    "assignee",
    "lead",
    "pm",
    "owner agent",
    "owner human",
    "revoked key",
    "expired key",
    "narrow key",
];

/// The status that each of them gets. What there is to be changed belongs to the assignee (its ticket, its webhook, its
/// key), on the owner surface to the owner. No GitHub is connected, so for those who may ask it is 404.
#[rustfmt::skip]
const TABLE: &str = "
                        none strn work asgn lead pm   oagt ohum rvkd expd nrrw
RegisterAgent           201  201  201  201  201  201  201  201  201  201  201
GetHeartbeat            401  200  200  200  200  200  200  401  401  401  403
ListAgents              200  200  200  200  200  200  200  200  200  200  200
ListProjects            401  200  200  200  200  200  200  401  401  401  403
CreateProject           401  201  201  201  201  201  201  401  401  401  403
ListPositions           401  200  200  200  200  200  200  401  401  401  403
ApplyToPosition         401  201  409  409  409  409  409  401  401  401  403
ListTickets             401  403  200  200  200  200  200  401  401  401  403
CreateTicket            401  403  403  403  201  201  201  401  401  401  403
GetTicket               401  404  200  200  200  200  200  401  401  401  403
UpdateTicket            401  404  403  200  200  200  200  401  401  401  403
ApproveTicket           401  404  403  403  403  200  200  401  401  401  403
AddComment              401  404  201  201  201  201  201  401  401  401  403
ListMessages            401  403  200  200  200  200  200  401  401  401  403
SendMessage             401  403  201  201  201  201  201  401  401  401  403
SearchKnowledge         401  403  200  200  200  200  200  401  401  401  403
CreateKnowledge         401  403  201  201  201  201  201  401  401  401  403
ListWebhooks            401  200  200  200  200  200  200  401  401  401  403
CreateWebhook           401  201  201  201  201  201  201  401  401  401  403
DeleteWebhook           401  404  404  200  404  404  404  401  401  401  403
GetGithubToken          401  403  404  404  404  404  404  401  401  401  403
ListPullRequests        401  403  404  404  404  404  404  401  401  401  403
VerifyDeliverable       401  403  404  404  404  404  404  401  401  401  403
GetHealth               200  200  200  200  200  200  200  200  200  200  200
GetMe                   401  200  200  200  200  200  200  401  401  401  403
GetBalance              401  200  200  200  200  200  200  401  401  401  403
ListTransactions        401  200  200  200  200  200  200  401  401  401  403
ListKeys                401  200  200  200  200  200  200  401  401  401  403
CreateKey               401  201  201  201  201  201  201  401  401  401  403
RotateKey               401  404  404  201  404  404  404  401  401  401  403
RevokeKey               401  404  404  200  404  404  404  401  401  401  403
ListApplications        401  200  200  200  200  200  200  401  401  401  403
DecideApplication       401  404  403  403  403  200  200  401  401  401  403
CreatePosition          401  403  403  403  403  201  201  401  401  401  403
ListDeliveries          401  404  404  200  404  404  404  401  401  401  403
TestWebhook             401  404  404  201  404  404  404  401  401  401  403
ReplayDeliveries        401  404  404  200  404  404  404  401  401  401  403
RotateWebhookSecret     401  404  404  201  404  404  404  401  401  401  403
EnableWebhook           401  404  404  200  404  404  404  401  401  401  403
GetOwner                401  200  401  401  401  401  401  200  401  401  403
ListOwnerProjects       401  200  401  401  401  401  401  200  401  401  403
OwnerCreateProject      401  201  401  401  401  401  401  201  401  401  403
GetOwnerProject         401  404  401  401  401  401  401  200  401  401  403
OwnerCreatePosition     401  403  401  401  401  401  401  201  401  401  403
ListOwnerApplications   401  403  401  401  401  401  401  200  401  401  403
OwnerDecideApplication  401  404  401  401  401  401  401  200  401  401  403
OwnerListTickets        401  403  401  401  401  401  401  200  401  401  403
OwnerCreateTicket       401  403  401  401  401  401  401  201  401  401  403
OwnerGetTicket          401  404  401  401  401  401  401  200  401  401  403
OwnerUpdateTicket       401  404  401  401  401  401  401  200  401  401  403
OwnerApproveTicket      401  404  401  401  401  401  401  200  401  401  403
OwnerAddComment         401  404  401  401  401  401  401  201  401  401  403
ListLedger              401  403  401  401  401  401  401  200  401  401  403
ListAudit               401  403  401  401  401  401  401  200  401  401  403
ListOwnerKeys           401  200  401  401  401  401  401  200  401  401  403
CreateOwnerKey          401  201  401  401  401  401  401  201  401  401  403
RotateOwnerKey          401  404  401  401  401  401  401  201  401  401  403
RevokeOwnerKey          401  404  401  401  401  401  401  200  401  401  403
OwnerListWebhooks       401  200  401  401  401  401  401  200  401  401  403
OwnerListDeliveries     401  404  401  401  401  401  401  200  401  401  403
OwnerTestWebhook        401  404  401  401  401  401  401  201  401  401  403
OwnerReplayDeliveries   401  404  401  401  401  401  401  200  401  401  403
OwnerEnableWebhook      401  404  401  401  401  401  401  200  401  401  403
";

/// The expected statuses by operation.
type Table = BTreeMap<&'static str, Vec<u16>>;

fn table() -> Table {
    let rows = TABLE.lines().skip(2).map(|row| {
        let mut words = row.split_whitespace();
        let name = words.next().unwrap();
        (name, words.map(|word| word.parse().unwrap()).collect())
    });
    rows.collect()
}

fn operations() -> impl Iterator<Item = &'static Operation> {
    ENDPOINTS.iter().chain(&EXTENSIONS).chain(&owner::ENDPOINTS)
}

/// Operations that a table has no row for, and rows that are of no operation.
fn unmatched(table: &Table) -> (Vec<&'static str>, Vec<&'static str>) {
    let names: BTreeSet<&str> = operations().map(|operation| operation.name).collect();
    let missing = names.iter().filter(|name| !table.contains_key(*name)).copied().collect();
    (missing, table.keys().filter(|name| !names.contains(*name)).copied().collect())
}

#[test]
fn a_row_that_is_missing_or_of_no_operation_is_noticed() {
    let mut table = table();
    assert_eq!(unmatched(&table), (vec![], vec![]));
    table.remove("GetMe");
    table.insert("EatCake", vec![200]);
    assert_eq!(unmatched(&table), (vec!["GetMe"], vec!["EatCake"]));
}

#[tokio::test]
async fn the_table_says_who_may_do_what() {
    let (scene, expected) = (Scene::set().await, table());
    let mut wrong = Vec::new();
    for operation in operations() {
        let expected = expected.get(operation.name).expect("another test says which row is missing");
        assert_eq!(expected.len(), CALLERS.len(), "{}", operation.name);
        let mut found = Vec::new();
        for column in CALLERS {
            let (path, body) = scene.call(operation, usize::from(column == "owner agent")).await;
            let caller = scene.caller(column, operation);
            let body = matches!(operation.method, Method::POST | Method::PATCH).then_some(body);
            let answer = scene.world.call(operation.method.clone(), &path, caller.as_ref(), body).await;
            if column == "narrow key" && operation.scope.is_some() {
                let scope = operation.scope.as_ref().map(Scope::as_str);
                assert_eq!(answer.json["details"]["scope"].as_str(), scope, "{}", operation.name);
            }
            found.push(answer.status.as_u16());
        }
        if found != *expected {
            wrong.push(format!(
                "{:23} {}",
                operation.name,
                found.iter().map(|status| format!(" {status} ")).collect::<String>()
            ));
        }
        // Enough failures from one address are limited, and so are the keys of one holder.
        scene.world.clock.advance(Duration::from_secs(2 * 3600));
    }
    assert!(wrong.is_empty(), "these rows are found to be otherwise:\n{}", wrong.join("\n"));
}

#[tokio::test]
async fn every_operation_that_changes_something_leaves_an_entry_in_the_audit_log_and_no_other_does() {
    let (scene, expected) = (Scene::set().await, table());
    for operation in operations() {
        let changes = operation.idempotency != Idempotency::Safe;
        for (column, status) in CALLERS.iter().zip(&expected[operation.name]) {
            if *column != "stranger" && !(200..300).contains(status) {
                continue;
            }
            let (path, body) = scene.call(operation, usize::from(*column == "owner agent")).await;
            let before = scene.entries_in_the_audit_log().await;
            let caller = scene.caller(column, operation);
            let body = matches!(operation.method, Method::POST | Method::PATCH).then_some(body);
            let answer = scene.world.call(operation.method.clone(), &path, caller.as_ref(), body).await;
            let left = scene.entries_in_the_audit_log().await > before;
            let says = format!("{} by {column}: {}", operation.name, answer.status);
            assert_eq!(left, changes && answer.status.is_success(), "{says}");
        }
        scene.world.clock.advance(Duration::from_secs(2 * 3600));
    }
}
