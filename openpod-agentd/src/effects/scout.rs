//! Looks around for work: GET /me, GET /tickets, GET /positions, GET /apply.

use openpod_sdk::api::applications::{Application, ApplicationFilter};
use openpod_sdk::api::positions::{Position, PositionFilter};
use openpod_sdk::api::projects::ProjectFilter;
use openpod_sdk::api::tickets::{Assignee, Ticket, TicketFilter};
use openpod_sdk::api::{Page, ProjectId, TicketStatus};
use openpod_sdk::{Client, Dialect, Error, ErrorKind};

use super::failure::{failure_of, is_out_of_sight};
use crate::event::Finds;
use crate::job::Failure;
use crate::job::policy::Policy;

/// No list is read further: who has more to choose from than this is not helped by more.
const MOST: usize = 1000;

/// Looks where the policy says that there might be work. Reads at most the first thousand of each list.
pub async fn scout(client: &Client, policy: &Policy, for_tickets: bool) -> Result<Finds, Failure> {
    find(client, policy, for_tickets).await.map_err(|error| failure_of(&error))
}

async fn find(client: &Client, policy: &Policy, for_tickets: bool) -> Result<Finds, Error> {
    let memberships = match client.me().await {
        Ok(me) => me.memberships,
        // A platform without the extension.
        Err(error) if error.status() == Some(404) => Vec::new(),
        Err(error) => return Err(error),
    };
    let mut finds = Finds { memberships, ..Finds::default() };
    if for_tickets {
        for membership in finds.memberships.iter().filter(|membership| policy.tickets.looks_at(membership)) {
            match free_tickets(client, &membership.project_id).await {
                Ok(free) => finds.tickets.extend(free.into_iter().map(|mut ticket| {
                    ticket.project_id.get_or_insert_with(|| membership.project_id.clone());
                    ticket
                })),
                // We may have left the project in the meantime.
                Err(error) if is_out_of_sight(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }
    if policy.apply.enabled {
        finds.positions = positions(client).await?;
        finds.applications = match applications(client).await {
            Err(error) if error.status() == Some(404) => Vec::new(),
            other => other?,
        };
    }
    Ok(finds)
}

async fn free_tickets(client: &Client, project: &ProjectId) -> Result<Vec<Ticket>, Error> {
    let mut list = List::begin();
    while let Some(cursor) = list.next() {
        let filter = TicketFilter {
            status: Some(TicketStatus::Todo),
            assignee: Some(Assignee::Nobody),
            limit: Some(100),
            cursor,
            ..TicketFilter::of(project.clone())
        };
        list.add(shown(client.list_tickets(&filter).await, filter.cursor.is_some())?);
    }
    Ok(list.found)
}

/// The deployed service has no list of all positions, only one for each project.
async fn positions(client: &Client) -> Result<Vec<Position>, Error> {
    if client.dialect() == Dialect::Documented {
        return positions_of(client, None).await;
    }
    let mut found = Vec::new();
    for project in client.list_projects(&ProjectFilter::default()).await?.data {
        match positions_of(client, Some(&project.id)).await {
            Ok(positions) => found.extend(positions),
            // It was closed in the meantime.
            Err(error) if error.status() == Some(404) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

async fn positions_of(client: &Client, project: Option<&ProjectId>) -> Result<Vec<Position>, Error> {
    let mut list = List::begin();
    while let Some(cursor) = list.next() {
        let project_id = project.cloned();
        let filter = PositionFilter { project_id, limit: Some(100), cursor, ..PositionFilter::default() };
        list.add(client.list_positions(&filter).await?);
    }
    Ok(list.found)
}

async fn applications(client: &Client) -> Result<Vec<Application>, Error> {
    let mut list = List::begin();
    while let Some(cursor) = list.next() {
        let filter = ApplicationFilter { limit: Some(100), cursor, ..ApplicationFilter::default() };
        list.add(shown(client.list_applications(&filter).await, filter.cursor.is_some())?);
    }
    Ok(list.found)
}

/// A page beyond what the service shows has nothing on it.
fn shown<T>(page: Result<Page<T>, Error>, is_further: bool) -> Result<Page<T>, Error> {
    match page {
        Err(error) if is_further && error.kind() == ErrorKind::Unsupported => Ok(Page::last(Vec::new())),
        other => other,
    }
}

/// A list that is read page after page, until there is none left or enough is read.
struct List<T> {
    found: Vec<T>,
    /// Where the next page begins, if there is one.
    next: Option<Option<String>>,
}

impl<T> List<T> {
    fn begin() -> Self {
        Self { found: Vec::new(), next: Some(None) }
    }

    /// The cursor of the next page.
    fn next(&mut self) -> Option<Option<String>> {
        self.next.take()
    }

    fn add(&mut self, page: Page<T>) {
        let more = !page.data.is_empty();
        self.found.extend(page.data);
        self.next = page.next_cursor.filter(|_| more && self.found.len() < MOST).map(Some);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pages: usize, items: usize) -> (usize, usize) {
        let mut list = List::begin();
        let mut asked = 0;
        while let Some(cursor) = list.next() {
            assert_eq!(cursor, (asked > 0).then(|| asked.to_string()));
            asked += 1;
            let next_cursor = (asked < pages).then(|| asked.to_string());
            list.add(Page { data: vec![(); items], next_cursor });
        }
        (asked, list.found.len())
    }

    #[test]
    fn a_list_is_read_to_its_end_but_not_without_end() {
        assert_eq!(read(1, 3), (1, 3));
        assert_eq!(read(4, 100), (4, 400));
        assert_eq!(read(usize::MAX, 100), (10, 1000));
        assert_eq!(read(usize::MAX, 0), (1, 0), "a platform that gives cursors and nothing else");
    }
}
