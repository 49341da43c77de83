//! Text as the hosting API passes it back: into buffers of the host, with the length that is
//! needed.

use soglia_abi::{
    HRESULT, hresult,
    param::{Buffer, InOut, Out, WideString},
};

/// `HRESULT_FROM_WIN32(ERROR_INSUFFICIENT_BUFFER)`.
const INSUFFICIENT_BUFFER: HRESULT = HRESULT(0x8007_007a_u32 as i32);

/// Writes a text as methods with a `pcchBuffer` parameter do.
///
/// `length` holds the number of characters that there is room for. It becomes the number that is
/// needed, with the final zero. Without a buffer, only that number is returned. `E_POINTER` without
/// a length.
///
/// # Safety
/// `buffer` is null, or has room for as many characters as `length` says.
pub unsafe fn answer(text: &str, buffer: Buffer<'_, u16>, mut length: InOut<'_, u32>) -> HRESULT {
    let Some(room) = length.get().copied() else {
        return hresult::E_POINTER;
    };
    // SAFETY: the buffer is null or has as much room as the length says, which the caller ensures.
    unsafe { put(text, buffer, room, length.into_out()) }
}

/// Writes a text as the functions of .NET Framework 1 do: room and need are two parameters.
/// `needed` may be null.
///
/// # Safety
/// `buffer` is null, or has room for `room` characters.
pub unsafe fn put(
    text: &str,
    buffer: Buffer<'_, u16>,
    room: u32,
    mut needed: Out<'_, u32>,
) -> HRESULT {
    let text = WideString::new(text);
    let text = text.with_zero();
    needed.write_if_wanted(text.len() as u32);
    if !buffer.is_null() && (room as usize) < text.len() {
        return INSUFFICIENT_BUFFER;
    }
    // SAFETY: the buffer has room for the text, by the check above and the caller's promise.
    if let Some(places) = unsafe { buffer.places(text.len()) } {
        for (place, unit) in places.iter_mut().zip(text) {
            place.write(*unit);
        }
    }
    hresult::S_OK
}

#[cfg(test)]
mod tests {
    use super::*;
    use soglia_abi::param::Wide;

    #[test]
    fn a_buffer_is_filled_or_its_size_is_returned() {
        let mut buffer = [7_u16; 8];
        let ask = |mut length: u32, buffer: Buffer<'_, u16>| {
            // SAFETY: the buffer is null, or has at least as much room as is said.
            let result = unsafe { answer("v10.0", buffer, InOut::new(&mut length)) };
            (result, length)
        };
        assert_eq!(ask(0, Buffer::null()), (hresult::S_OK, 6));
        assert_eq!(ask(5, Buffer::new(&mut buffer)), (INSUFFICIENT_BUFFER, 6));
        assert_eq!(buffer, [7; 8]);
        assert_eq!(ask(6, Buffer::new(&mut buffer)), (hresult::S_OK, 6));
        assert_eq!(buffer[5..], [0, 7, 7]);
        // SAFETY: the text that was just written has its zero.
        let text = unsafe { Wide::from_raw(buffer.as_ptr()) };
        assert_eq!(text.to_text().as_deref(), Some("v10.0"));
        // SAFETY: without a length, the buffer is not written.
        let result = unsafe { answer("", Buffer::new(&mut buffer), InOut::null()) };
        assert_eq!(result, hresult::E_POINTER);
        // SAFETY: the buffer has more room than that.
        let result = unsafe { put("", Buffer::new(&mut buffer), 1, Out::null()) };
        assert_eq!((result, buffer[0]), (hresult::S_OK, 0));
    }
}
