//! What precompiled code a module has.

use std::collections::{HashMap, HashSet};

use soglia_abi::ids::MdToken;

use super::{
    header::{Found, Header},
    image::{Image, Inlined},
};

/// The precompiled code of a module.
#[derive(Clone, Debug)]
pub enum Precompiled<'a> {
    /// There is none: the module is IL only.
    None,
    /// It is the module's own.
    Image(Image<'a>),
    /// It is in an image that several modules share, or this is such an image. It is not read.
    Composite,
    /// There may be some, but it cannot be read.
    Unreadable,
}

impl<'a> Precompiled<'a> {
    /// Reads the headers of a module that is mapped by sections, and not flat as its file is.
    ///
    /// `bytes` begins where the module begins.
    pub fn parse(bytes: &'a [u8]) -> Self {
        let Some(found) = Header::read(bytes) else {
            return Self::Unreadable;
        };
        match found {
            Found::Nothing => Self::None,
            Found::Composite => Self::Composite,
            Found::Own(header) => Image::new(header).map_or(Self::Unreadable, Self::Image),
        }
    }

    /// As [`Image::inlines_any`]. Returns [`Inlined::Unknown`] if there is no image to ask.
    pub fn inlines_any(&self, rid: u32, wrapped: &dyn Fn(MdToken) -> bool) -> Inlined {
        match self {
            Self::Image(image) => image.inlines_any(rid, wrapped),
            Self::None | Self::Composite | Self::Unreadable => Inlined::Unknown,
        }
    }

    /// As [`Image::inliners`]. Returns `None` as well if there is no image to ask.
    pub fn inliners(&self, inlined: &dyn Fn(u32) -> bool) -> Option<HashSet<u32>> {
        match self {
            Self::Image(image) => image.inliners(inlined),
            Self::None => Some(HashSet::new()),
            Self::Composite | Self::Unreadable => None,
        }
    }

    /// The rows of the methods that other methods of this module have inlined, by the row of the
    /// method that has inlined them.
    ///
    /// Returns `None` if that is not known.
    pub fn inlinees(&self) -> Option<HashMap<u32, Vec<u32>>> {
        match self {
            Self::Image(image) if !image.header.is_shared() => image.inlinees(),
            Self::None => Some(HashMap::new()),
            Self::Image(_) | Self::Composite | Self::Unreadable => None,
        }
    }

    /// Whether the code of other modules may hold this module's `wrapped` P/Invokes, or its code
    /// theirs. Then it is not enough to look at the methods of this module.
    pub fn shares(&self, wrapped: &dyn Fn(MdToken) -> bool) -> bool {
        match self {
            Self::None => false,
            // Code that was compiled together reaches P/Invokes only by cells of its own image.
            Self::Image(image) => {
                image.header.is_shared() && image.inlines_anywhere(wrapped) != Some(Inlined::No)
            }
            Self::Composite | Self::Unreadable => true,
        }
    }
}
