//! Lists as streams: of pages, and of what is on them.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::error::Fault;
use super::timer::Boxed;
use super::{Client, Error};
use crate::api::{Endpoint, Nothing, Page, PageOf, PageQuery};

type Asked<T> = Result<Page<T>, Error>;
/// Asks for the page at this cursor, or says that there is none.
type Ask<T> = dyn Fn(Option<&str>) -> Option<Boxed<Asked<T>>> + Send + Sync;

/// The pages of a list, one after the other. See [`Client::pages`].
///
/// Each page is a call of its own, with the retries, limits and errors of every call. After the last page, and after an
/// error, there is nothing more. Who stops waiting for a page loses nothing: the call goes on with the next poll.
#[must_use = "a stream asks for nothing until it is polled"]
pub struct Pages<T> {
    ask: Box<Ask<T>>,
    operation: &'static str,
    state: State<T>,
    trail: Trail,
}

/// Whether a service leads in a circle, which would be walked for ever: some cursor on the way is kept, after twice as many
/// steps a later one (Brent's method). A circle of any length comes back to it.
#[derive(Default)]
struct Trail {
    kept: Option<String>,
    steps: usize,
    keep_after: usize,
}

impl Trail {
    fn is_circle(&mut self, next: &str) -> bool {
        if self.kept.as_deref() == Some(next) {
            return true;
        }
        self.steps += 1;
        if self.steps > self.keep_after {
            (self.kept, self.steps) = (Some(next.to_owned()), 0);
            self.keep_after = self.keep_after.saturating_mul(2).max(1);
        }
        false
    }
}

enum State<T> {
    /// To be asked for: the page at this cursor, the first one without.
    Next(Option<String>),
    /// Under way.
    Asked(Boxed<Asked<T>>),
    Over,
}

impl<T: 'static> Pages<T> {
    pub(super) fn of<E>(client: &Client, _: E, path: E::Path, query: E::Query) -> Self
    where
        E: Endpoint<Body = Nothing>,
        E::Query: PageQuery,
        E::Response: PageOf<Item = T>,
    {
        let (client, path, first) = (client.clone(), Arc::new(path), query.in_large_pages());
        let ask = move |cursor: Option<&str>| -> Option<Boxed<Asked<T>>> {
            let query = match cursor {
                None => first.clone(),
                Some(cursor) => first.at(cursor.to_owned())?,
            };
            let (client, path) = (client.clone(), Arc::clone(&path));
            Some(Box::pin(async move {
                let (answer, _) = client.run::<E>(&path, &query, &Nothing {}).await?;
                Ok(answer.into_page())
            }))
        };
        Self { ask: Box::new(ask), operation: E::NAME, state: State::Next(None), trail: Trail::default() }
    }

    /// The next page, or `None` after the last one.
    pub async fn next(&mut self) -> Option<Result<Page<T>, Error>> {
        std::future::poll_fn(|cx| self.poll_page(cx)).await
    }

    fn poll_page(&mut self, cx: &mut Context<'_>) -> Poll<Option<Asked<T>>> {
        loop {
            match &mut self.state {
                State::Over => return Poll::Ready(None),
                State::Next(cursor) => {
                    let cursor = cursor.take();
                    self.state = match (self.ask)(cursor.as_deref()) {
                        Some(answer) => State::Asked(answer),
                        None => State::Over,
                    };
                }
                State::Asked(answer) => {
                    let answer = ready!(answer.as_mut().poll(cx));
                    self.state = match answer.as_ref().ok().and_then(|page| page.next_cursor.clone()) {
                        None => State::Over,
                        Some(next) if self.trail.is_circle(&next) => {
                            self.state = State::Over;
                            return Poll::Ready(Some(Err(self.stuck())));
                        }
                        Some(next) => State::Next(Some(next)),
                    };
                    return Poll::Ready(Some(answer));
                }
            }
        }
    }

    fn stuck(&self) -> Error {
        let problem = "the cursor to the next page leads back to a page that was here before".to_owned();
        Error::new(
            self.operation,
            Fault::Malformed { status: 200, problem, request_id: None },
            1,
            std::time::Duration::ZERO,
        )
    }
}

impl<T: 'static> Stream for Pages<T> {
    type Item = Result<Page<T>, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_page(cx)
    }
}

/// What a list is made of, one after the other, across its pages. See [`Client::items`].
///
/// ```no_run
/// # async fn example(client: openpod_sdk::Client, project: openpod_sdk::api::ProjectId) -> Result<(), openpod_sdk::Error> {
/// use openpod_sdk::api::tickets::TicketFilter;
///
/// let mut tickets = client.tickets(TicketFilter::of(project));
/// while let Some(ticket) = tickets.next().await {
///     println!("{}", ticket?.title);
/// }
/// # Ok(())
/// # }
/// ```
///
/// A list that changes meanwhile may show an item twice or not at all where the service pages by offset; with cursors it
/// does not. After an error there is nothing more.
#[must_use = "a stream asks for nothing until it is polled"]
pub struct Items<T> {
    pages: Pages<T>,
    page: std::vec::IntoIter<T>,
}

impl<T: 'static> Items<T> {
    /// The next one, or `None` after the last one.
    pub async fn next(&mut self) -> Option<Result<T, Error>> {
        std::future::poll_fn(|cx| self.poll_item(cx)).await
    }

    /// All that are left, or the first error.
    pub async fn into_vec(mut self) -> Result<Vec<T>, Error> {
        let mut all = Vec::from_iter(self.page.by_ref());
        while let Some(page) = self.pages.next().await {
            all.extend(page?.data);
        }
        Ok(all)
    }

    /// The pages instead. What was begun of a page is left out.
    pub fn into_pages(self) -> Pages<T> {
        self.pages
    }

    fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, Error>>> {
        loop {
            if let Some(item) = self.page.next() {
                return Poll::Ready(Some(Ok(item)));
            }
            match ready!(self.pages.poll_page(cx)) {
                Some(Ok(page)) => self.page = page.data.into_iter(),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }
}

/// Nothing in it is pinned.
impl<T> Unpin for Items<T> {}

impl<T: 'static> Stream for Items<T> {
    type Item = Result<T, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_item(cx)
    }
}

impl<T: 'static> From<Pages<T>> for Items<T> {
    fn from(pages: Pages<T>) -> Self {
        Self { pages, page: Vec::new().into_iter() }
    }
}

impl<T> fmt::Debug for Pages<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages").field("operation", &self.operation).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Items<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Items").field("operation", &self.pages.operation).finish_non_exhaustive()
    }
}
