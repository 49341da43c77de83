//! Text as the hosting API passes it: zero-terminated UTF-16, and buffers that tell how much they hold.

use soglia_abi::{HRESULT, hresult};

/// `HRESULT_FROM_WIN32(ERROR_INSUFFICIENT_BUFFER)`.
const INSUFFICIENT_BUFFER: HRESULT = HRESULT(0x8007_007a_u32 as i32);

/// The text at `pointer`; `None` if it is null. What is no Unicode becomes replacement characters.
///
/// # Safety
/// Null, or a zero-terminated text.
pub unsafe fn read(pointer: *const u16) -> Option<String> {
    if pointer.is_null() {
        return None;
    }
    // SAFETY: zero-terminated, so everything up to the zero can be read.
    let text = unsafe {
        let length = (0..).take_while(|at| *pointer.add(*at) != 0).count();
        std::slice::from_raw_parts(pointer, length)
    };
    Some(String::from_utf16_lossy(text))
}

/// The text with its zero.
pub fn zero_terminated(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

/// Answers with a text, as `pcchBuffer` methods do: the number says how many characters there is room for, and becomes
/// the number that is needed, the zero included. Without a buffer only the number is asked for.
///
/// # Safety
/// `length` is null or valid; `buffer` is null or has room for that many.
pub unsafe fn answer(text: &str, buffer: *mut u16, length: *mut u32) -> HRESULT {
    if length.is_null() {
        return hresult::E_POINTER;
    }
    // SAFETY: not null, and valid by the contract.
    unsafe {
        let room = *length;
        put(text, buffer, room, length)
    }
}

/// As [`answer`], with room and need apart, as the functions of .NET Framework 1 have it. `needed` may be null.
///
/// # Safety
/// `needed` is null or valid; `buffer` is null or has room for `room` characters.
pub unsafe fn put(text: &str, buffer: *mut u16, room: u32, needed: *mut u32) -> HRESULT {
    let text = zero_terminated(text);
    // SAFETY: by the contract, after the checks for null and for room.
    unsafe {
        if !needed.is_null() {
            *needed = text.len() as u32;
        }
        if buffer.is_null() {
            return hresult::S_OK;
        }
        if (room as usize) < text.len() {
            return INSUFFICIENT_BUFFER;
        }
        std::ptr::copy_nonoverlapping(text.as_ptr(), buffer, text.len());
    }
    hresult::S_OK
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_filled_or_told_its_size() {
        let mut buffer = [7_u16; 8];
        let mut length = 8;
        // SAFETY: a buffer of that length.
        let mut ask = |room: u32, buffer: *mut u16| unsafe {
            length = room;
            (answer("v10.0", buffer, &raw mut length), length)
        };
        assert_eq!(ask(0, std::ptr::null_mut()), (hresult::S_OK, 6));
        assert_eq!(ask(5, buffer.as_mut_ptr()), (INSUFFICIENT_BUFFER, 6));
        assert_eq!(ask(6, buffer.as_mut_ptr()), (hresult::S_OK, 6));
        // SAFETY: zero-terminated by now.
        assert_eq!(unsafe { read(buffer.as_ptr()) }.as_deref(), Some("v10.0"));
        // SAFETY: null is allowed for both.
        unsafe {
            assert_eq!(
                answer("", buffer.as_mut_ptr(), std::ptr::null_mut()),
                hresult::E_POINTER
            );
            assert_eq!(read(std::ptr::null()), None);
        }
    }
}
