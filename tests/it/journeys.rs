//! Journeys: one file per case, from a row in the register to the words on a phone.

mod bounce;
mod brake;
mod call_list;
mod cancelled_immigration_email;
mod cancelled_passport_sms;
mod cancelled_then_reinstated;
mod closing;
mod contact_changes;
mod delivery_reports;
mod expired;
mod gateway_down_and_back;
mod hold;
mod invitation;
mod kill_nine;
mod ladder;
mod moved;
mod no_contact;
mod personal_data;
mod reports;
mod row_vanishes;
mod short_notice;
mod sigterm_mid_send;
mod trial_mode;
mod unknown_outcome;
mod unknown_resolved;
mod why_somebody_waits;
