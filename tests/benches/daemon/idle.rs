//! A daemon with nothing to do, at its default pace: for one agent, and for many.

use std::fmt::Write as _;
use std::time::Duration;

use super::Options;
use super::program::Program;
use super::report::{Goal, Row, Table};
use super::stage::{Stage, home, write};

/// After this it has begun, and looked once.
const BEGUN: Duration = Duration::from_secs(5);

pub(crate) async fn measure(options: &Options) -> Table {
    let stage = Stage::open().await;
    let executor = "[executor]\ncommand = [\"true\"]\n";
    let (_, key) = stage.world.register("ada").await;
    let one = Program::start(&home(&stage, "ada"), &stage.world.url, &key, executor);
    let lodge = home(&stage, "lodge");
    let mut members = String::new();
    for number in 0..options.agents {
        let name = format!("agent-{number}");
        let file = lodge.join(format!("{name}.key"));
        write(&file, stage.world.register(&name).await.1.expose());
        let _ = write!(members, "[[agents]]\nname = \"{name}\"\nkey_file = \"{}\"\n", file.display());
    }
    let many = Program::configured(&lodge, &stage.world.url, &(executor.to_owned() + &members));
    tokio::time::sleep(BEGUN).await;
    let before = [one.busy(), many.busy()];
    let watched = Duration::from_secs(options.seconds);
    tokio::time::sleep(watched).await;
    let share =
        |program: &Program, before: Duration| 100.0 * (program.busy() - before).div_duration_f64(watched);
    let (alone, together) = (share(&one, before[0]), share(&many, before[1]));
    let (small, large) = (one.megabytes(), many.megabytes());
    drop((one, many));
    stage.close().await;

    let mut table = Table::new("A daemon with nothing to do, at its default pace");
    let memory = |what: String, figure: f64, most: f64| {
        let row = Row::new(what, format!("{figure:.1} MiB"));
        row.ratio(figure / most, &format!("{most:.0} MiB")).goal(figure / most, Goal::AtMost(1.0))
    };
    let processor = |what: String, figure: f64| Row::new(what, format!("{figure:.3} %"));
    table.row(memory("resident memory, one agent".to_owned(), small, 12.0));
    let row = processor("processor, one agent".to_owned(), alone);
    table.row(row.ratio(alone / 0.05, "0.05 %").goal(alone / 0.05, Goal::AtMost(1.0)));
    table.row(memory(format!("resident memory, {} agents", options.agents), large, 40.0));
    table.row(processor(format!("processor, {} agents", options.agents), together));
    table.note(format!("Watched for {} seconds; a heartbeat every 30, for each agent.", options.seconds));
    table
}
