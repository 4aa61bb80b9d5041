//! Lists, by the page or item by item.

use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::transport::{self, Call, Core, Route};

/// The order of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Order {
    /// The oldest first.
    Ascending,
    /// The newest first, which is the default.
    Descending,
    /// The newest first, with `before` and `after` reversed.
    Normal,
}

/// A list that is ready to be fetched: one page with [`send`](Self::send), all items with [`stream`](Self::stream).
#[must_use = "nothing was sent yet: call `.send().await` or `.stream()`"]
pub struct List<T> {
    core: Arc<Core>,
    call: Result<Call, Error>,
    query: Vec<(&'static str, String)>,
    items: PhantomData<fn() -> T>,
}

impl<T> List<T> {
    pub(super) fn new(core: &Arc<Core>, call: Result<Call, Error>) -> Self {
        Self { core: Arc::clone(core), call, query: Vec::new(), items: PhantomData }
    }

    /// The maximum number of items of a page, 1 to 100.
    pub fn limit(self, limit: u8) -> Self {
        self.with("limit", limit.to_string())
    }

    /// The order of the items.
    pub fn order(self, order: Order) -> Self {
        self.with(
            "order",
            match order {
                Order::Ascending => "asc",
                Order::Descending => "desc",
                Order::Normal => "normal",
            },
        )
    }

    /// Only items before this cursor, [`Page::before`].
    pub fn before(self, cursor: impl Into<String>) -> Self {
        self.with("before", cursor)
    }

    /// Only items after this cursor, [`Page::after`].
    pub fn after(self, cursor: impl Into<String>) -> Self {
        self.with("after", cursor)
    }

    /// Sets a parameter of the query, in place of an earlier value.
    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.retain(|(other, _)| *other != name);
        self.query.push((name, value.into()));
        self
    }

    /// The same list, from this cursor on.
    fn starting_after(&self, cursor: &str) -> Self {
        let list = Self {
            core: Arc::clone(&self.core),
            call: self.call.clone(),
            query: self.query.clone(),
            items: PhantomData,
        };
        // A request has one cursor only, and this one goes forward.
        let mut list = list.after(cursor);
        list.query.retain(|(name, _)| *name != "before");
        list
    }

    /// Fetches a page.
    ///
    /// # Errors
    /// As [`ApiRequest::send`](crate::api::ApiRequest::send).
    pub async fn send(self) -> Result<Page<T>, Error>
    where
        T: DeserializeOwned,
    {
        #[derive(Deserialize)]
        struct Received<T> {
            data: Vec<T>,
            list_metadata: Option<Cursors>,
        }

        #[derive(Default, Deserialize)]
        struct Cursors {
            before: Option<String>,
            after: Option<String>,
        }

        let mut call = self.call.clone()?;
        if !self.query.is_empty() {
            let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.query).finish();
            let Route { template, path } = call.route;
            call.route = Route::joined(template, [path.as_str(), "?", &query])?;
        }
        let reply = self.core.send(call).await;
        let Received { data, list_metadata } =
            reply.and_then(transport::read::<Received<T>>).map_err(|failure| failure.error)?;
        let Cursors { before, after } = list_metadata.unwrap_or_default();
        Ok(Page { data, before, after, list: self })
    }

    /// All items from here on; each page is fetched when it is needed. An error ends the stream.
    ///
    /// ```no_run
    /// # async fn run(client: workos_auth::ConfidentialClient) -> Result<(), workos_auth::Error> {
    /// use futures_util::TryStreamExt;
    ///
    /// let mut users = client.users().list().stream();
    /// while let Some(user) = users.try_next().await? {
    ///     println!("{}", user.email);
    /// }
    /// # Ok(()) }
    /// ```
    pub fn stream(self) -> Items<T>
    where
        T: DeserializeOwned + Send + 'static,
    {
        Items { fetched: VecDeque::new(), rest: Rest::Unfetched(self) }
    }
}

impl<T> fmt::Debug for List<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let route = self.call.as_ref().map(|call| call.route.template);
        formatter.debug_struct("List").field("route", &route).finish_non_exhaustive()
    }
}

/// A page of a list.
#[derive(Debug)]
#[non_exhaustive]
pub struct Page<T> {
    /// The items.
    pub data: Vec<T>,
    /// The cursor of the previous page, for [`List::before`].
    pub before: Option<String>,
    /// The cursor of the next page, for [`List::after`].
    pub after: Option<String>,
    list: List<T>,
}

impl<T> Page<T> {
    /// Fetches the next page with the same filters; `None` if this is the last one.
    ///
    /// # Errors
    /// As [`ApiRequest::send`](crate::api::ApiRequest::send).
    pub async fn next(&self) -> Result<Option<Self>, Error>
    where
        T: DeserializeOwned,
    {
        match self.after.as_deref() {
            Some(cursor) => self.list.starting_after(cursor).send().await.map(Some),
            None => Ok(None),
        }
    }
}

type Fetching<T> = Pin<Box<dyn Future<Output = Result<Page<T>, Error>> + Send>>;

/// The items of a list as a [`Stream`]; each page is fetched when it is needed.
#[must_use = "a stream fetches nothing until it is polled"]
pub struct Items<T> {
    fetched: VecDeque<T>,
    rest: Rest<T>,
}

enum Rest<T> {
    Unfetched(List<T>),
    Fetching(Fetching<T>),
    Done,
}

// Items are moved out, never pinned.
impl<T> Unpin for Items<T> {}

impl<T: DeserializeOwned + Send + 'static> Stream for Items<T> {
    type Item = Result<T, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(item) = self.fetched.pop_front() {
                return Poll::Ready(Some(Ok(item)));
            }
            self.rest = match std::mem::replace(&mut self.rest, Rest::Done) {
                Rest::Unfetched(list) => Rest::Fetching(Box::pin(list.send())),
                Rest::Fetching(mut page) => match page.as_mut().poll(context) {
                    Poll::Pending => {
                        self.rest = Rest::Fetching(page);
                        return Poll::Pending;
                    }
                    Poll::Ready(Err(error)) => return Poll::Ready(Some(Err(error))),
                    Poll::Ready(Ok(page)) => {
                        let next = page.after.as_deref().map(|cursor| page.list.starting_after(cursor));
                        self.fetched = page.data.into();
                        next.map_or(Rest::Done, Rest::Unfetched)
                    }
                },
                Rest::Done => return Poll::Ready(None),
            };
        }
    }
}

impl<T> fmt::Debug for Items<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Items").finish_non_exhaustive()
    }
}
