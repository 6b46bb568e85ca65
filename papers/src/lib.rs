//! What leaves the program for people and banks: bills as PDF, payments as SEPA files.
#![forbid(unsafe_code)]
