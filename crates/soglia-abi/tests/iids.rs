//! The IID of every interface, against numbers written down from the IDL and the hosting sheet.

use soglia_abi::hosting::{clr_task::*, control::*, host_task::*, runtime_host::*};
use soglia_abi::profiler::{
    callback::*, factory::*, info::*, info_later::*, metadata::*, metadata_assembly::*,
    metadata_emit::*,
};
use windows_core::{GUID, IUnknown, Interface};

/// 32 hex digits in four groups, as a GUID is printed but for the grouping.
macro_rules! iids {
    ($($name:ident $value:literal;)*) => {
        &[$((stringify!($name), $name::IID, $value)),*]
    };
}

#[rustfmt::skip]
const IIDS: &[(&str, GUID, u128)] = iids! {
    IUnknown                  0x00000000_0000_0000_C000_000000000046;
    IClassFactory             0x00000001_0000_0000_C000_000000000046;

    ICorProfilerCallback      0x176FBED1_A55C_4796_98CA_A9DA0EF883E7;
    ICorProfilerCallback2     0x8A8CC829_CCF2_49FE_BBAE_0F022228071A;
    ICorProfilerCallback3     0x4FD2ED52_7731_4B8D_9469_03D2CC3086C5;
    ICorProfilerCallback4     0x7B63B2E3_107D_4D48_B2F6_F61E229470D2;
    ICorProfilerCallback5     0x8DFBA405_8C9F_45F8_BFFA_83B14CEF78B5;
    ICorProfilerCallback6     0xFC13DF4B_4448_4F4F_950C_BA8D19D00C36;
    ICorProfilerCallback7     0xF76A2DBA_1D52_4539_866C_2AA518F9EFC3;
    ICorProfilerCallback8     0x5BED9B15_C079_4D47_BFE2_215A140C07E0;
    ICorProfilerCallback9     0x27583EC3_C8F5_482F_8052_194B8CE4705A;
    ICorProfilerCallback10    0xCEC5B60E_C69C_495F_87F6_84D28EE16FFB;
    ICorProfilerCallback11    0x42350846_AAED_47F7_B128_FD0C98881CDE;

    ICorProfilerInfo          0x28B5557D_3F3F_48B4_90B2_5F9EEA2F6C48;
    ICorProfilerInfo2         0xCC0935CD_A518_487D_B0BB_A93214E65478;
    ICorProfilerInfo3         0xB555ED4F_452A_4E54_8B39_B5360BAD32A0;
    ICorProfilerInfo4         0x0D8FDCAA_6257_47BF_B1BF_94DAC88466EE;
    ICorProfilerInfo5         0x07602928_CE38_4B83_81E7_74ADAF781214;
    ICorProfilerInfo6         0xF30A070D_BFFB_46A7_B1D8_8781EF7B698A;
    ICorProfilerInfo7         0x9AEECC0D_63E0_4187_8C00_E312F503F663;
    ICorProfilerInfo8         0xC5AC80A6_782E_4716_8044_39598C60CFBF;
    ICorProfilerInfo9         0x008170DB_F8CC_4796_9A51_DC8AA0B47012;
    ICorProfilerInfo10        0x2F1B5152_C869_40C9_AA5F_3ABE026BD720;
    ICorProfilerInfo11        0x06398876_8987_4154_B621_40A00D6E4D04;
    ICorProfilerInfo12        0x27B24CCD_1CB1_47C5_96EE_98190DC30959;
    ICorProfilerInfo13        0x6E6C7EE2_0701_4EC2_9D29_2E8733B66934;
    ICorProfilerInfo14        0xF460E352_D76D_4FE9_835F_F6AF9D6E862D;
    ICorProfilerInfo15        0xB446462D_BD22_41DD_872D_DC714C49EB56;

    ICorProfilerObjectEnum    0x2C6269BD_2D13_4321_AE12_6686365FD6AF;
    ICorProfilerFunctionEnum  0xFF71301A_B994_429D_A10B_B345A65280EF;
    ICorProfilerModuleEnum    0xB0266D75_2081_4493_AF7F_028BA34DB891;
    ICorProfilerMethodEnum    0xFCCEE788_0088_454B_A811_C99F298D1942;
    ICorProfilerThreadEnum    0x571194F7_25ED_419F_AA8B_7016B3159701;
    ICorProfilerFunctionControl 0xF0963021_E1EA_4732_8581_E01B0BD3C0C6;
    ICorProfilerAssemblyReferenceProvider 0x66A78C24_2EEF_4F65_B45F_DD1D8038BF3C;
    IMethodMalloc             0xA0EFB28B_6EE2_4D7B_B983_A75EF7BEEDB8;

    IMetaDataImport           0x7DAC8207_D3AE_4C75_9B67_92801A497D44;
    IMetaDataImport2          0xFCE5EFA0_8BBA_4F8E_A036_8F2022B08466;
    IMetaDataEmit             0xBA3FEE4C_ECB9_4E41_83B7_183FA41CD859;
    IMetaDataEmit2            0xF5DD9950_F693_42E6_830E_7B833E8146A9;
    IMetaDataAssemblyEmit     0x211EF15B_5317_4438_B196_DEC87B887693;
    IMetaDataAssemblyImport   0xEE62470B_E94B_424E_9B7C_2F00C9249F93;

    IHostTaskManager          0x997FF24C_43B7_4352_8667_0DC04FAFD354;
    IHostTask                 0xC2275828_C4B1_4B55_82C9_92135F74DF1A;
    ICLRTaskManager           0x4862EFBE_3AE5_44F8_8FEB_346190EE8A34;
    ICLRTask                  0x28E66A4A_9906_4225_B231_9187C3EB8611;
    ICLRTask2                 0x28E66A4A_9906_4225_B231_9187C3EB8612;
    IHostControl              0x02CA073C_7079_4860_880A_C2F7A449C991;
    ICLRControl               0x9065597E_D1A1_4FB2_B6BA_7E1FCE230F61;
    ICLRRuntimeHost           0x90F1A06C_7712_4762_86B5_7A5EBA6BDB02;
    ICLRRuntimeHost2          0x712AB73F_2C22_4807_AD7E_F501D7B72C2D;
    ICLRRuntimeHost4          0x64F6D366_D7C2_4F1F_B4B2_E8160CAC43AF;
};

#[test]
fn every_iid() {
    for (name, iid, value) in IIDS {
        assert_eq!(iid.to_u128(), *value, "{name} is {iid:?}");
    }
}

#[test]
fn no_iid_twice() {
    let mut values: Vec<u128> = IIDS.iter().map(|(_, iid, _)| iid.to_u128()).collect();
    values.sort_unstable();
    values.dedup();
    assert_eq!(values.len(), IIDS.len());
}

/// The bytes as the CLR sees them: three numbers in native order, then eight bytes.
#[test]
fn in_memory() {
    let iid = ICorProfilerInfo::IID;
    assert_eq!(
        (iid.data1, iid.data2, iid.data3),
        (0x28B5557D, 0x3F3F, 0x48B4)
    );
    assert_eq!(iid.data4, [0x90, 0xB2, 0x5F, 0x9E, 0xEA, 0x2F, 0x6C, 0x48]);
    assert_eq!(size_of::<GUID>(), 16);
    assert_eq!(align_of::<GUID>(), 4);
}

#[test]
fn class_ids() {
    assert_eq!(
        CLSID_CLRRuntimeHost.to_u128(),
        0x90F1A06E_7712_4762_86B5_7A5EBA6BDB02
    );
    assert_ne!(
        CLSID_CLRRuntimeHost,
        ICLRRuntimeHost::IID,
        "one digit apart"
    );
}
