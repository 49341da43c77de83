//! The task of a host, where there is no host.

use soglia_abi::{
    HRESULT,
    hosting::{
        clr_task::ICLRTask,
        host_task::{IHostTask, IHostTask_Impl},
    },
    hresult::{E_NOTIMPL, S_OK},
    param::{Lent, Out},
};
use windows_core::implement;

/// A task where no host behind has one. It stands for the thread that runs, and supports no
/// operation.
#[implement(IHostTask)]
pub(super) struct PlainTask;

impl IHostTask_Impl for PlainTask_Impl {
    unsafe fn Start(&self) -> HRESULT {
        E_NOTIMPL
    }

    unsafe fn Alert(&self) -> HRESULT {
        E_NOTIMPL
    }

    unsafe fn Join(&self, _milliseconds: u32, _option: u32) -> HRESULT {
        E_NOTIMPL
    }

    unsafe fn SetPriority(&self, _priority: i32) -> HRESULT {
        E_NOTIMPL
    }

    unsafe fn GetPriority(&self, _priority: Out<'_, i32>) -> HRESULT {
        E_NOTIMPL
    }

    unsafe fn SetCLRTask(&self, _task: Lent<'_, ICLRTask>) -> HRESULT {
        S_OK
    }
}
