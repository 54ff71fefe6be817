//! Whatever anybody does to the tickets of a project, in whatever order: the platform answers as a small model of its
//! rules does, and ends where the model ends. `PROPTEST_CASES=1000` looks longer.

mod model;

use std::cell::RefCell;
use std::collections::BTreeMap;

use http::{Method, Request, header};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use serde_json::{Value, json};

use super::world::{AGENT, Answer, Person, Project, World, text};
use model::{BUDGET, Expected, Model};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Owner,
    Pm,
    Lead,
    Wanda,
    Will,
    Stranger,
}
use Who::{Lead, Owner, Pm, Stranger, Wanda, Will};

const EVERYBODY: [Who; 6] = [Owner, Pm, Lead, Wanda, Will, Stranger];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Assign {
    Leave,
    Free,
    To(Who),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Anything,
    Latest,
    Older,
}

/// What somebody wants to pay. Mistakes are made where a budget ends and where half a cent is rounded.
#[derive(Debug, Clone, Copy)]
enum Pay {
    Cents(i64),
    /// All that is left of the budget.
    TheRest,
    /// A cent more than that.
    MoreThanTheRest,
}

#[derive(Debug, Clone)]
enum Deed {
    Create { assignee: Option<Who> },
    Change { status: Option<&'static str>, assign: Assign, urgent: bool, seen: Seen },
    Judge { action: &'static str, payout: Pay },
    Comment,
}

/// Somebody does something to one of the tickets, perhaps twice under one idempotency key.
#[derive(Debug, Clone)]
struct Step {
    who: Who,
    ticket: usize,
    deed: Deed,
    repeated: bool,
}

fn anybody() -> impl Strategy<Value = Who> {
    prop::sample::select(EVERYBODY.to_vec())
}

/// These more often than anybody else, so that much comes to its end.
fn mostly(these: &[Who]) -> impl Strategy<Value = Who> + use<> {
    prop_oneof![5 => prop::sample::select(these.to_vec()), 1 => anybody()]
}

fn change() -> impl Strategy<Value = Deed> {
    let assign = prop_oneof![
        8 => Just(Assign::Leave), 1 => Just(Assign::Free), 2 => anybody().prop_map(Assign::To)
    ];
    let seen = prop_oneof![8 => Just(Seen::Anything), 1 => Just(Seen::Latest), 1 => Just(Seen::Older)];
    let status = prop_oneof![
        1 => Just("todo"), 3 => Just("in_progress"), 4 => Just("in_review"), 3 => Just("done"), 1 => Just("cancelled")
    ];
    let status = prop::option::weighted(0.9, status);
    (status, assign, prop::bool::weighted(0.1), seen).prop_map(|(status, assign, urgent, seen)| {
        // A change of nothing is refused before any rule is asked; other tests see to that.
        let urgent = urgent || (status.is_none() && assign == Assign::Leave);
        Deed::Change { status, assign, urgent, seen }
    })
}

fn step() -> impl Strategy<Value = Step> {
    let create = prop::option::of(mostly(&[Wanda, Will])).prop_map(|assignee| Deed::Create { assignee });
    let verdict = prop::sample::select(vec!["approve", "approve", "reject", "revise"]);
    let payout = prop_oneof![
        4 => (0..8i64).prop_map(|n| Pay::Cents(n * 5)),
        2 => (0..200i64).prop_map(Pay::Cents),
        1 => Just(Pay::TheRest),
        3 => Just(Pay::MoreThanTheRest),
    ];
    let judge = (verdict, payout).prop_map(|(action, payout)| Deed::Judge { action, payout });
    let deed = prop_oneof![
        2 => (mostly(&[Owner, Pm, Lead]), create),
        8 => (mostly(&[Wanda, Will, Wanda, Lead]), change()),
        6 => (mostly(&[Owner, Pm]), judge),
        1 => (anybody(), Just(Deed::Comment)),
    ];
    (deed, 0..6usize, prop::bool::weighted(0.2)).prop_map(|((who, deed), ticket, repeated)| Step {
        who,
        ticket,
        deed,
        repeated,
    })
}

/// The platform, with everybody on it.
struct Stage {
    world: World,
    project: Project,
    people: Vec<Person>,
    tickets: Vec<String>,
}

impl Stage {
    async fn new() -> Stage {
        let world = World::new().await;
        let owner = world.register("olga").await;
        let body = json!({"title": "Build it", "description": "A service.", "budget_cents": BUDGET});
        let made = world.post(&format!("{AGENT}/projects"), &owner, body).await.expect(201);
        let project = Project {
            id: text(&made["project"]["id"]),
            channel: text(&made["channel"]["id"]),
            owner: owner.clone(),
        };
        let mut people = vec![owner];
        for (name, role) in [("paul", "pm"), ("leo", "lead"), ("wanda", "worker"), ("will", "worker")] {
            people.push(world.member(&project, name, role).await);
        }
        people.push(world.register("sam").await);
        Stage { world, project, people, tickets: Vec::new() }
    }

    fn person(&self, who: Who) -> &Person {
        &self.people[who as usize]
    }

    async fn send(&mut self, step: &Step, key: &str, version: u64) -> Answer {
        let ticket = self.tickets.get(step.ticket).cloned().unwrap_or_default();
        let one = format!("{AGENT}/tickets/{ticket}");
        let id = |who: Who| self.person(who).id.clone();
        let (method, path, body) = match &step.deed {
            Deed::Create { assignee } => (
                Method::POST,
                format!("{AGENT}/tickets"),
                json!({
                    "project_id": self.project.id, "title": "Fix it", "ticket_type": "spike",
                    "assignee_agent_key_id": assignee.map(id),
                }),
            ),
            Deed::Change { status, assign, urgent, .. } => {
                let mut body = serde_json::Map::new();
                body.extend(status.map(|status| ("status".to_owned(), json!(status))));
                body.extend(urgent.then(|| ("priority".to_owned(), json!("urgent"))));
                match assign {
                    Assign::Leave => {}
                    Assign::Free => drop(body.insert("assignee_agent_key_id".into(), Value::Null)),
                    Assign::To(who) => drop(body.insert("assignee_agent_key_id".into(), json!(id(*who)))),
                }
                (Method::PATCH, one, body.into())
            }
            Deed::Judge { action, payout: Pay::Cents(payout) } => {
                let body = json!({"action": action, "payout_cents": payout});
                (Method::POST, format!("{one}/approve"), body)
            }
            Deed::Judge { .. } => unreachable!("it was settled how much that is"),
            Deed::Comment => (Method::POST, format!("{one}/comments"), json!({"content": "Well."})),
        };
        let mut request = Request::builder().method(method).uri(path).header("idempotency-key", key);
        let bearer = format!("Bearer {}", self.person(step.who).key.expose());
        request = request.header(header::AUTHORIZATION, bearer);
        if let Deed::Change { seen, .. } = step.deed {
            request = match seen {
                Seen::Anything => request,
                Seen::Latest => request.header(header::IF_MATCH, format!("\"{version}\"")),
                Seen::Older => request.header(header::IF_MATCH, format!("\"{}\"", version - 1)),
            };
        }
        self.world.send(request.body(body.to_string().into()).unwrap()).await
    }

    /// The platform ends where the model ends.
    async fn compare(&self, model: &Model) {
        let owner = self.person(Owner);
        for (id, expected) in self.tickets.iter().zip(&model.tickets) {
            let ticket = self.world.get(&format!("{AGENT}/tickets/{id}"), owner).await.expect(200);
            let shown = json!({
                "status": ticket["status"], "approval": ticket["approval_status"],
                "paid": ticket["payout_cents"], "assignee": ticket["assignee_agent_key_id"],
                "urgent": ticket["priority"] == "urgent", "version": ticket["version"],
                "comments": ticket["comments"].as_array().map_or(0, Vec::len),
            });
            let wanted = json!({
                "status": expected.status, "approval": expected.approval, "paid": expected.paid,
                "assignee": expected.assignee.map(|who| &self.person(who).id), "urgent": expected.urgent,
                "version": expected.version, "comments": expected.comments,
            });
            assert_eq!(shown, wanted);
        }
        for who in EVERYBODY {
            let list =
                self.world.get(&format!("{AGENT}/me/transactions"), self.person(who)).await.expect(200);
            let earned: Vec<i64> =
                model.earned.iter().filter(|(whom, _)| *whom == who).map(|(_, cents)| *cents).collect();
            assert_eq!(list["summary"]["count"], earned.len(), "{who:?} {list}");
            let balance = self.world.get(&format!("{AGENT}/me/balance"), self.person(who)).await.expect(200);
            assert_eq!(
                balance["ledger"]["total_earned_cents"],
                earned.iter().sum::<i64>(),
                "{who:?} {balance}"
            );
        }
    }
}

async fn play(steps: &[Step], met: &mut BTreeMap<Expected, usize>) {
    let mut stage = Stage::new().await;
    let mut model = Model::default();
    let first = Step { who: Owner, ticket: 0, deed: Deed::Create { assignee: None }, repeated: false };
    for (n, step) in std::iter::once(&first).chain(steps).enumerate() {
        let mut step = step.clone();
        step.ticket %= model.tickets.len().max(1);
        if let Deed::Judge { payout, .. } = &mut step.deed {
            *payout = Pay::Cents(model.in_cents(*payout));
        }
        let version = model.tickets.get(step.ticket).map_or(1, |ticket| ticket.version);
        let expected = model.apply(&step);
        *met.entry(expected).or_default() += 1;
        let key = format!("step-{n}");
        let answer = stage.send(&step, &key, version).await;
        check(n, &step, &answer, expected);
        if step.repeated {
            let again = stage.send(&step, &key, version).await;
            check(n, &step, &again, expected);
            let replayed = again.headers.contains_key("idempotency-replayed");
            assert_eq!(replayed, expected.1.is_empty(), "a success is told again, a refusal decided again");
        }
        if let (Deed::Create { .. }, Ok(id)) = (&step.deed, answer.json["data"]["id"].as_str().ok_or(())) {
            stage.tickets.push(id.to_owned());
        }
    }
    stage.compare(&model).await;
}

#[track_caller]
fn check(n: usize, step: &Step, answer: &Answer, (status, code): Expected) {
    let found = (answer.status.as_u16(), answer.json["code"].as_str().unwrap_or_default());
    assert_eq!(found, (status, code), "step {n}: {step:?}: {:#}", answer.json);
}

/// Ready work on a new ticket, and a verdict that approves it for that much.
fn approval(ticket: usize, payout: Pay) -> [Step; 3] {
    let step = |who, deed| Step { who, ticket, deed, repeated: false };
    let ready = Deed::Change {
        status: Some("in_review"),
        assign: Assign::Leave,
        urgent: false,
        seen: Seen::Anything,
    };
    [
        step(Owner, Deed::Create { assignee: Some(Wanda) }),
        step(Wanda, ready),
        step(Pm, Deed::Judge { action: "approve", payout }),
    ]
}

#[tokio::test]
async fn a_budget_is_spent_to_the_last_cent_and_half_a_cent_is_rounded_as_the_model_does() {
    // The first ticket is the one that every sequence begins with.
    let payouts = [
        Pay::Cents(5),
        Pay::Cents(0),
        Pay::Cents(14),
        Pay::MoreThanTheRest,
        Pay::TheRest,
        Pay::MoreThanTheRest,
    ];
    let steps: Vec<Step> =
        payouts.into_iter().enumerate().flat_map(|(n, payout)| approval(n + 1, payout)).collect();
    let mut met = BTreeMap::new();
    play(&steps, &mut met).await;
    assert_eq!((met[&(200, "")], met[&(409, "budget_exceeded")]), (10, 2), "{met:?}");
}

#[test]
fn the_platform_answers_as_the_model_of_its_rules_does() {
    let cases =
        if std::env::var_os("PROPTEST_CASES").is_some() { ProptestConfig::default().cases } else { 24 };
    let config = ProptestConfig {
        cases,
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..ProptestConfig::default()
    };
    let met = RefCell::new(BTreeMap::new());
    proptest!(config, |(steps in prop::collection::vec(step(), 1..120))| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(play(&steps, &mut met.borrow_mut()));
    });
    println!("{cases} sequences, and how often each answer was met: {:#?}", met.borrow());
}
